// Turns a failed CUDA call into a DeviceError that names the call and the place.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "common/error.hpp"

namespace seco::cuda {

inline void check(cudaError_t status, const char* call, const char* file, int line) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // or the next kernel's launch would be blamed for it
    throw DeviceError(std::string(call) + ": expected CUDA to succeed, got " + cudaGetErrorString(status) +
                      " (" + file + ":" + std::to_string(line) + ")");
}

}  // namespace seco::cuda

#define SECO_CUDA_CHECK(call) ::seco::cuda::check((call), #call, __FILE__, __LINE__)
