// Where a block of a GeoTIFF lies in its image.
#pragma once

#include <algorithm>

#include "geotiff/parse.hpp"

namespace seco::geotiff {

struct Tile {
    int64_t top, left;
    int64_t rows, columns;  // inside the image
    int64_t row_bytes;      // of the block
};

// Samples that a pixel of a block has.
inline int64_t samples_of(const Image& image) { return image.planar ? 1 : image.shape.bands; }

// Blocks that cover the image once: all, or those of one band where each holds one.
inline int64_t blocks_of_plane(const Image& image) { return image.blocks_down * image.blocks_across; }

inline Tile place(const Image& image, int64_t index) {
    const int64_t within = index % blocks_of_plane(image);
    Tile tile{};
    tile.top = within / image.blocks_across * image.block_height;
    tile.left = within % image.blocks_across * image.block_width;
    tile.rows = std::min(image.block_height, image.shape.height - tile.top);
    tile.columns = std::min(image.block_width, image.shape.width - tile.left);
    tile.row_bytes = image.block_width * samples_of(image) * image.sample_bytes;
    return tile;
}

}  // namespace seco::geotiff
