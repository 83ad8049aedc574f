#include "cpu/decode_geotiff.hpp"

#include <algorithm>
#include <cstring>

#include "common/error.hpp"
#include "common/stages.hpp"
#include "cpu/decompress.hpp"
#include "cpu/undo_predictor.hpp"

namespace seco::cpu {
namespace {

using geotiff::Image;

// A block's place in the image.
struct Tile {
    int64_t top, left;
    int64_t rows, columns;  // inside the image
    int64_t row_bytes;      // of the block
};

// Buffers of one thread; they grow to the largest block and are kept.
struct Buffers {
    std::vector<uint8_t> raw, block;
};

int64_t samples_of(const Image& image) { return image.planar ? 1 : image.shape.bands; }

Tile place(const Image& image, int64_t index) {
    const int64_t within = index % (image.blocks_down * image.blocks_across);
    Tile tile{};
    tile.top = within / image.blocks_across * image.block_height;
    tile.left = within % image.blocks_across * image.block_width;
    tile.rows = std::min(image.block_height, image.shape.height - tile.top);
    tile.columns = std::min(image.block_width, image.shape.width - tile.left);
    tile.row_bytes = image.block_width * samples_of(image) * image.sample_bytes;
    return tile;
}

// Block `index` of the image's table: read, decompressed to `room` bytes from `out` on, and undifferenced.
void load_block(const geotiff::Source& source, const Image& image, int64_t index, const Tile& tile,
                std::vector<uint8_t>& raw, uint8_t* out, size_t room) {
    const geotiff::Block& block = image.blocks[static_cast<size_t>(index)];
    raw.resize(block.bytes);
    {
        const StageTimer timer(Stage::kRead);
        source.read(block.offset, block.bytes, raw.data());
        stage_totals().bytes_read.fetch_add(static_cast<int64_t>(block.bytes), std::memory_order_relaxed);
    }
    size_t written = 0;
    {
        const StageTimer timer(Stage::kDecompress);
        written = decompress(image.compression, raw.data(), raw.size(), out, room);
        stage_totals().bytes_decoded.fetch_add(static_cast<int64_t>(written), std::memory_order_relaxed);
    }
    if (written < static_cast<size_t>(tile.rows * tile.row_bytes))
        throw GeoTiffError("has a block of " + std::to_string(written) + " bytes where " +
                           std::to_string(tile.rows * tile.row_bytes) + " are needed");
    if (!image.horizontal_predictor) return;
    const StageTimer timer(Stage::kUnpredict);
    const int64_t samples = samples_of(image);
    for (int64_t y = 0; y < tile.rows; ++y)
        undo_predictor(out + y * tile.row_bytes, image.sample_bytes, image.block_width * samples, samples);
}

// Copies bands of a block that holds `samples_of(image)` to the planes at `out`: row by row, while a row is
// in the cache.
template <typename Value>
void copy_bands(const Image& image, const Tile& tile, const uint8_t* block, const std::vector<int64_t>& bands,
                uint8_t* out) {
    const int64_t samples = samples_of(image), plane = image.shape.height * image.shape.width;
    for (int64_t y = 0; y < tile.rows; ++y) {
        const auto* row = reinterpret_cast<const Value*>(block + y * tile.row_bytes);
        auto* to = reinterpret_cast<Value*>(out) + (tile.top + y) * image.shape.width + tile.left;
        for (const int64_t band : bands) {
            for (int64_t x = 0; x < tile.columns; ++x) to[x] = row[x * samples + band];
            to += plane;
        }
    }
}

void copy_bands(const Image& image, const Tile& tile, const uint8_t* block, const std::vector<int64_t>& bands,
                uint8_t* out) {
    const StageTimer timer(Stage::kUnpredict);
    switch (image.sample_bytes) {
        case 1:
            return copy_bands<uint8_t>(image, tile, block, bands, out);
        case 2:
            return copy_bands<uint16_t>(image, tile, block, bands, out);
        default:
            return copy_bands<uint32_t>(image, tile, block, bands, out);
    }
}

// One band of a planar image.
void decode_plane(const geotiff::Source& source, const Image& image, int64_t band, Buffers& buffers,
                  uint8_t* out) {
    const int64_t blocks = image.blocks_down * image.blocks_across;
    for (int64_t i = 0; i < blocks; ++i) {
        const int64_t index = band * blocks + i;
        const Tile tile = place(image, index);
        if (image.block_width == image.shape.width && tile.rows == image.block_height) {
            // A whole strip lies in the plane as it is decompressed.
            load_block(source, image, index, tile, buffers.raw, out + tile.top * tile.row_bytes,
                       static_cast<size_t>(tile.rows * tile.row_bytes));
            continue;
        }
        buffers.block.resize(static_cast<size_t>(image.block_height * tile.row_bytes));
        load_block(source, image, index, tile, buffers.raw, buffers.block.data(), buffers.block.size());
        copy_bands(image, tile, buffers.block.data(), {0}, out);
    }
}

// The wanted bands of an image whose blocks hold all of them.
void decode_pixels(const geotiff::Source& source, const Image& image, const std::vector<int64_t>& bands,
                   Buffers& buffers, uint8_t* out) {
    for (int64_t i = 0; i < image.blocks_down * image.blocks_across; ++i) {
        const Tile tile = place(image, i);
        buffers.block.resize(static_cast<size_t>(image.block_height * tile.row_bytes));
        load_block(source, image, i, tile, buffers.raw, buffers.block.data(), buffers.block.size());
        copy_bands(image, tile, buffers.block.data(), bands, out);
    }
}

}  // namespace

void decode_geotiff(const geotiff::Source& source, const Image& image, const std::vector<int64_t>& bands,
                    uint8_t* out) {
    thread_local Buffers buffers;
    if (!image.planar) return decode_pixels(source, image, bands, buffers, out);
    const int64_t plane_bytes = image.shape.height * image.shape.width * image.sample_bytes;
    for (size_t b = 0; b < bands.size(); ++b)
        decode_plane(source, image, bands[b], buffers, out + static_cast<int64_t>(b) * plane_bytes);
}

}  // namespace seco::cpu
