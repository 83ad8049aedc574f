// A staged batch of GeoTIFFs to planes of pixels: nvCOMP, one kernel that checks, one that puts in place.
#pragma once

#include "cuda/nvcomp.hpp"
#include "cuda/staging.hpp"

namespace seco::cuda {

// Memory on the device beside what is staged.
struct DecodeScratch {
    DecodeScratch(const Staging& staging, uint8_t* base);
    static size_t bytes(const Staging& staging);

    uint8_t* decoded;  // decompressed blocks
    size_t* written;   // bytes of each chunk that nvCOMP decompresses
    int* statuses;     // of nvCOMP
    bool* whole;       // whether the chunk is what its file says
};

// Planes of one band in the output.
struct Planes {
    int sample_bytes;
    int64_t height, width;
};

// Runs on `stream` (a cudaStream_t) and returns before the work is done. `tables` are those on the device.
// `scratch.whole` then says which chunks decompressed to what their files say: by nvCOMP's status, the size,
// and the checksum where there is one.
void decode_geotiff(const Staging& staging, const Tables& tables, const DecodeScratch& scratch,
                    const Temporary& temporary, const Planes& planes, void* stream);

}  // namespace seco::cuda
