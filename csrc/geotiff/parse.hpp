// Header parser of the fast profile: what one image is, and where its strips or tiles lie. Decodes nothing.
// The bytes come from strangers: every offset, count and product is checked before it is used.
// Source: Adobe, TIFF Revision 6.0; BigTIFF design of libtiff; ZSTD is compression 50000 of libtiff and GDAL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "geotiff/source.hpp"

namespace seco::geotiff {

enum class Compression { kNone = 1, kLzw = 5, kDeflate = 8, kZstd = 50000 };

// What a caller's array must agree with.
struct Shape {
    int64_t bands = 0, height = 0, width = 0;
    std::string dtype;  // NumPy's name

    bool operator==(const Shape& other) const {
        return bands == other.bands && height == other.height && width == other.width && dtype == other.dtype;
    }
    std::string text() const;
};

struct Block {
    uint64_t offset, bytes;
};

struct Image {
    Shape shape;
    int sample_bytes = 0;
    Compression compression = Compression::kNone;
    bool horizontal_predictor = false;
    bool planar = false;  // one block holds one band
    bool tiled = false;
    int64_t block_height = 0, block_width = 0;
    int64_t blocks_down = 0, blocks_across = 0;
    std::vector<Block> blocks;  // [bands if planar][down][across]

    // Why the file is not of the fast profile; empty if it is. The fields above are then not to be used.
    std::string foreign;
};

// Throws GeoTiffError, without the file's name, if the file is damaged.
Image parse(const Source& source);

}  // namespace seco::geotiff
