// Batches of blocks through nvCOMP, which is opened when it is first needed: no link, no need for it on the
// CPU.
#pragma once

#include <cstddef>

#include "cuda/staging.hpp"

namespace seco::cuda {

// Memory on the device that nvCOMP works in.
struct Temporary {
    void* memory;
    size_t bytes;
};

// How much of it a batch needs whose ZSTD frames have so many blocks in all. Throws DeviceError where nvCOMP
// is missing.
size_t nvcomp_temporary_bytes(const Staging& staging, uint64_t zstd_blocks);

// Decompresses a group on `stream` (a cudaStream_t). `tables` are on the device, as are, for each chunk of
// the batch, the bytes that were written and nvCOMP's status, 0 if all is well.
void nvcomp_decompress(const Staging& staging, Group group, const Tables& tables, const Temporary& temporary,
                       size_t* written, int* statuses, void* stream);

}  // namespace seco::cuda
