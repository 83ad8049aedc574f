#include "cpu/decode_geotiff.hpp"

#include <algorithm>
#include <cstring>

#include "common/error.hpp"
#include "cpu/decompress.hpp"
#include "math/predictor.hpp"

namespace seco::cpu {
namespace {

using geotiff::Image;

// A block's place in the image, and its pixels in memory.
struct Tile {
    int64_t top, left;
    int64_t rows, columns;  // inside the image
    const uint8_t* data;    // [block_height, block_width, samples]
};

// Buffers of one thread; they grow to the largest block and are kept.
struct Buffers {
    std::vector<uint8_t> raw, block;
};

void undo_predictor(const Image& image, uint8_t* row, int64_t samples) {
    const int64_t count = image.block_width * samples;
    switch (image.sample_bytes) {
        case 1:
            return math::undo_differencing(row, count, samples);
        case 2:
            return math::undo_differencing(reinterpret_cast<uint16_t*>(row), count, samples);
        default:
            return math::undo_differencing(reinterpret_cast<uint32_t*>(row), count, samples);
    }
}

// Block `index` of the image's table: read, decompressed and undifferenced.
Tile load_block(const geotiff::Source& source, const Image& image, int64_t index, Buffers& buffers) {
    const int64_t within = index % (image.blocks_down * image.blocks_across);
    const int64_t samples = image.planar ? 1 : image.shape.bands;
    const int64_t row_bytes = image.block_width * samples * image.sample_bytes;
    Tile tile{};
    tile.top = within / image.blocks_across * image.block_height;
    tile.left = within % image.blocks_across * image.block_width;
    tile.rows = std::min(image.block_height, image.shape.height - tile.top);
    tile.columns = std::min(image.block_width, image.shape.width - tile.left);

    const geotiff::Block& block = image.blocks[static_cast<size_t>(index)];
    buffers.raw.resize(block.bytes);
    source.read(block.offset, block.bytes, buffers.raw.data());
    buffers.block.resize(static_cast<size_t>(image.block_height * row_bytes));
    const size_t written = decompress(image.compression, buffers.raw.data(), buffers.raw.size(),
                                      buffers.block.data(), buffers.block.size());
    if (written < static_cast<size_t>(tile.rows * row_bytes))
        throw GeoTiffError("has a block of " + std::to_string(written) + " bytes where " +
                           std::to_string(tile.rows * row_bytes) + " are needed");
    if (image.horizontal_predictor)
        for (int64_t y = 0; y < tile.rows; ++y)
            undo_predictor(image, buffers.block.data() + y * row_bytes, samples);
    tile.data = buffers.block.data();
    return tile;
}

// Copies band `sample` of a block that holds `samples` bands to the image's plane `out`.
template <typename Value>
void copy_band(const Image& image, const Tile& tile, int64_t sample, int64_t samples, uint8_t* out) {
    for (int64_t y = 0; y < tile.rows; ++y) {
        const auto* in = reinterpret_cast<const Value*>(tile.data) + y * image.block_width * samples + sample;
        auto* to = reinterpret_cast<Value*>(out) + (tile.top + y) * image.shape.width + tile.left;
        if (samples == 1) {
            std::memcpy(to, in, static_cast<size_t>(tile.columns) * sizeof(Value));
        } else {
            for (int64_t x = 0; x < tile.columns; ++x) to[x] = in[x * samples];
        }
    }
}

void copy_band(const Image& image, const Tile& tile, int64_t sample, int64_t samples, uint8_t* out) {
    switch (image.sample_bytes) {
        case 1:
            return copy_band<uint8_t>(image, tile, sample, samples, out);
        case 2:
            return copy_band<uint16_t>(image, tile, sample, samples, out);
        default:
            return copy_band<uint32_t>(image, tile, sample, samples, out);
    }
}

}  // namespace

void decode_geotiff(const geotiff::Source& source, const Image& image, const std::vector<int64_t>& bands,
                    uint8_t* out) {
    thread_local Buffers buffers;
    const int64_t plane_bytes = image.shape.height * image.shape.width * image.sample_bytes;
    const int64_t plane_blocks = image.blocks_down * image.blocks_across;
    if (image.planar) {
        for (size_t b = 0; b < bands.size(); ++b)
            for (int64_t i = 0; i < plane_blocks; ++i)
                copy_band(image, load_block(source, image, bands[b] * plane_blocks + i, buffers), 0, 1,
                          out + static_cast<int64_t>(b) * plane_bytes);
        return;
    }
    for (int64_t i = 0; i < plane_blocks; ++i) {
        const Tile tile = load_block(source, image, i, buffers);
        for (size_t b = 0; b < bands.size(); ++b)
            copy_band(image, tile, bands[b], image.shape.bands, out + static_cast<int64_t>(b) * plane_bytes);
    }
}

}  // namespace seco::cpu
