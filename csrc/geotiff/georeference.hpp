// Where an image lies: the affine map from pixels to coordinates, and what the coordinates are.
#pragma once

#include <array>

#include "geotiff/source.hpp"

namespace seco::geotiff {

struct Georeference {
    // GDAL's order: x = t[0] + column * t[1] + row * t[2], y = t[3] + column * t[4] + row * t[5], of the
    // upper left corner of a pixel. NaN where the file says nothing.
    std::array<double, 6> transform;
    int epsg = 0;  // 0 where the file names no code
};

// Throws GeoTiffError, without the file's name, if the tags are damaged.
// Source: OGC GeoTIFF Standard 1.1, sections 7.1 and 7.4.
Georeference read_georeference(const Source& source);

}  // namespace seco::geotiff
