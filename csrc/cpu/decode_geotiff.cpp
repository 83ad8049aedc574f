#include "cpu/decode_geotiff.hpp"

#include <algorithm>
#include <cstring>

#include "common/error.hpp"
#include "common/sample_type.hpp"
#include "common/stages.hpp"
#include "cpu/decompress.hpp"
#include "cpu/undo_predictor.hpp"
#include "geotiff/tile.hpp"

namespace seco::cpu {
namespace {

using geotiff::Image;
using geotiff::Tile;

// Buffers of one thread; they grow to the largest block and are kept.
struct Buffers {
    std::vector<uint8_t> raw, block;
};

// Bytes of a file: where they are in memory, and which they are.
struct Window {
    const uint8_t* data = nullptr;
    uint64_t begin = 0, size = 0;
    bool holds(const geotiff::Block& block) const {
        return data && block.offset >= begin && block.offset - begin + block.bytes <= size;
    }
};

// Reads bytes of the source to `raw`, or says where they are in memory.
Window fetch(const geotiff::Source& source, uint64_t begin, uint64_t size, std::vector<uint8_t>& raw) {
    if (const uint8_t* data = source.borrow(begin, size)) return {data, begin, size};
    const StageTimer timer(Stage::kRead);
    stage_totals().bytes_read.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
    raw.resize(size);
    source.read(begin, size, raw.data());
    return {raw.data(), begin, size};
}

// All blocks at once where they lie close together: a read of the system for each short strip costs more.
Window fetch_all(const geotiff::Source& source, const Image& image, std::vector<uint8_t>& raw) {
    uint64_t begin = UINT64_MAX, end = 0, bytes = 0;
    for (const geotiff::Block& block : image.blocks) {
        begin = std::min(begin, block.offset);
        end = std::max(end, block.offset + block.bytes);
        bytes += block.bytes;
    }
    if (image.blocks.empty() || end - begin > 2 * bytes) return {};
    return fetch(source, begin, end - begin, raw);
}

// A block decompressed to `room` bytes from `out` on.
void decompress_block(const Image& image, const geotiff::Block& block, const Window& window, const Tile& tile,
                      uint8_t* out, size_t room) {
    const StageTimer timer(Stage::kDecompress);
    const uint8_t* data = window.data + (block.offset - window.begin);
    const size_t needed = static_cast<size_t>(tile.rows * tile.row_bytes);
    const size_t written = decompress(image.compression, data, block.bytes, out, room, needed);
    stage_totals().bytes_decoded.fetch_add(static_cast<int64_t>(written), std::memory_order_relaxed);
}

// Bands of a block that holds `samples_of(image)` to the planes at `out`, row by row, while a row is in the
// cache. With predictor 2 a sample is the sum of all to its left; that wraps, as TIFF does.
template <typename Value, bool kSums>
void copy_bands(const Image& image, const Tile& tile, const uint8_t* block, const std::vector<int64_t>& bands,
                uint8_t* out) {
    const int64_t samples = samples_of(image), plane = image.shape.height * image.shape.width;
    for (int64_t y = 0; y < tile.rows; ++y) {
        const auto* row = reinterpret_cast<const Value*>(block + y * tile.row_bytes);
        auto* to = reinterpret_cast<Value*>(out) + (tile.top + y) * image.shape.width + tile.left;
        for (const int64_t band : bands) {
            Value sum = 0;
            for (int64_t x = 0; x < tile.columns; ++x) {
                const Value value = row[x * samples + band];
                to[x] = kSums ? sum = static_cast<Value>(sum + value) : value;
            }
            to += plane;
        }
    }
}

void copy_bands(const Image& image, const Tile& tile, const uint8_t* block, const std::vector<int64_t>& bands,
                uint8_t* out) {
    const StageTimer timer(Stage::kUnpredict);
    with_sample_type(image.sample_bytes, [&](auto sample) {
        using Value = decltype(sample);
        image.horizontal_predictor ? copy_bands<Value, true>(image, tile, block, bands, out)
                                   : copy_bands<Value, false>(image, tile, block, bands, out);
    });
}

// One band of a planar image.
void decode_plane(const geotiff::Source& source, const Image& image, int64_t band, Buffers& buffers,
                  uint8_t* out) {
    const int64_t blocks = image.blocks_down * image.blocks_across;
    for (int64_t i = 0; i < blocks; ++i) {
        const int64_t index = band * blocks + i;
        const Tile tile = place(image, index);
        const geotiff::Block& block = image.blocks[static_cast<size_t>(index)];
        const Window window = fetch(source, block.offset, block.bytes, buffers.raw);
        if (image.block_width == image.shape.width && tile.rows == image.block_height) {
            // A whole strip lies in the plane as it is decompressed.
            uint8_t* strip = out + tile.top * tile.row_bytes;
            decompress_block(image, block, window, tile, strip,
                             static_cast<size_t>(tile.rows * tile.row_bytes));
            if (!image.horizontal_predictor) continue;
            const StageTimer timer(Stage::kUnpredict);
            for (int64_t y = 0; y < tile.rows; ++y)
                undo_predictor(strip + y * tile.row_bytes, image.sample_bytes, image.block_width);
            continue;
        }
        buffers.block.resize(static_cast<size_t>(image.block_height * tile.row_bytes));
        decompress_block(image, block, window, tile, buffers.block.data(), buffers.block.size());
        copy_bands(image, tile, buffers.block.data(), {0}, out);
    }
}

// The wanted bands of an image whose blocks hold all of them.
void decode_pixels(const geotiff::Source& source, const Image& image, const std::vector<int64_t>& bands,
                   Buffers& buffers, uint8_t* out) {
    Window window = fetch_all(source, image, buffers.raw);
    for (int64_t i = 0; i < image.blocks_down * image.blocks_across; ++i) {
        const Tile tile = place(image, i);
        const geotiff::Block& block = image.blocks[static_cast<size_t>(i)];
        if (!window.holds(block)) window = fetch(source, block.offset, block.bytes, buffers.raw);
        buffers.block.resize(static_cast<size_t>(image.block_height * tile.row_bytes));
        decompress_block(image, block, window, tile, buffers.block.data(), buffers.block.size());
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
