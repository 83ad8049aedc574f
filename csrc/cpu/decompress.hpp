// One compressed block to bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "geotiff/parse.hpp"

namespace seco::cpu {

// Writes `needed` to `room` bytes to `out` and returns how many. Throws GeoTiffError if the data is damaged,
// or has fewer.
size_t decompress(geotiff::Compression compression, const uint8_t* in, size_t size, uint8_t* out, size_t room,
                  size_t needed);

}  // namespace seco::cpu
