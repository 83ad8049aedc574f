// One compressed block to bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "geotiff/parse.hpp"

namespace seco::cpu {

// Writes at most `room` bytes to `out` and returns how many. Throws GeoTiffError if the data is damaged.
size_t decompress(geotiff::Compression compression, const uint8_t* in, size_t size, uint8_t* out,
                  size_t room);

}  // namespace seco::cpu
