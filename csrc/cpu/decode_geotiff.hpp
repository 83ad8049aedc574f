// One GeoTIFF of the fast profile to planes of pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "geotiff/parse.hpp"

namespace seco::cpu {

// Decodes the bands `bands` (zero-based, in any order) of `image` into `out` [bands, height, width] of the
// image's type. Of a planar image only their blocks are read. Throws GeoTiffError, without the file's name.
void decode_geotiff(const geotiff::Source& source, const geotiff::Image& image,
                    const std::vector<int64_t>& bands, uint8_t* out);

}  // namespace seco::cpu
