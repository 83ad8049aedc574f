// Batches of blocks through nvCOMP, which is opened when it is first needed: no link, no need for it on the
// CPU.
#pragma once

#include <cstddef>

#include "cuda/staging.hpp"

namespace seco::cuda {

// Memory that decompressing a group needs. Throws DeviceError where nvCOMP is missing.
size_t nvcomp_temporary_bytes(const Staging& staging, Group group);

// Decompresses a group on `stream` (a cudaStream_t). `tables` are on the device, as are, for each chunk of
// the batch, the bytes that were written and nvCOMP's status, 0 if all is well.
void nvcomp_decompress(const Staging& staging, Group group, const Tables& tables, void* temporary,
                       size_t temporary_bytes, size_t* written, int* statuses, void* stream);

}  // namespace seco::cuda
