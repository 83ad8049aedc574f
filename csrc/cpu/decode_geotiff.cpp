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
Window fetch_all(const geotiff::Source& source, const geotiff::Block* blocks, int64_t count,
                 std::vector<uint8_t>& raw) {
    uint64_t begin = UINT64_MAX, end = 0, bytes = 0;
    for (int64_t i = 0; i < count; ++i) {
        begin = std::min(begin, blocks[i].offset);
        end = std::max(end, blocks[i].offset + blocks[i].bytes);
        bytes += blocks[i].bytes;
    }
    if (count == 0 || end - begin > 2 * bytes) return {};
    return fetch(source, begin, end - begin, raw);
}

// Calls `work` for each of `count` blocks from `first` on with its number, its bytes and the laps to count.
template <typename Work>
void each_block(const geotiff::Source& source, const Image& image, int64_t first, int64_t count,
                std::vector<uint8_t>& raw, const Work& work) {
    const geotiff::Block* blocks = image.blocks.data() + first;
    Window window = fetch_all(source, blocks, count, raw);
    for (int64_t i = 0; i < count;) {
        if (!window.holds(blocks[i])) window = fetch(source, blocks[i].offset, blocks[i].bytes, raw);
        StageLaps laps;
        do {
            work(first + i, window.data + (blocks[i].offset - window.begin), laps);
        } while (++i < count && window.holds(blocks[i]));
    }
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
    with_sample_type(image.sample_bytes, [&](auto sample) {
        using Value = decltype(sample);
        image.horizontal_predictor ? copy_bands<Value, true>(image, tile, block, bands, out)
                                   : copy_bands<Value, false>(image, tile, block, bands, out);
    });
}

void undo_predictors(const Image& image, const Tile& tile, uint8_t* strip) {
    if (!image.horizontal_predictor) return;
    for (int64_t y = 0; y < tile.rows; ++y)
        undo_predictor(strip + y * tile.row_bytes, image.sample_bytes, image.block_width);
}

// The blocks from `first` on, which cover the image once, to the planes at `out`: `bands` of those they hold.
void decode_blocks(const geotiff::Source& source, const Image& image, int64_t first,
                   const std::vector<int64_t>& bands, uint8_t* out) {
    thread_local Buffers buffers;
    const int64_t count = blocks_of_plane(image);
    const bool strips = samples_of(image) == 1 && bands.size() == 1 && image.block_width == image.shape.width;
    each_block(
        source, image, first, count, buffers.raw, [&](int64_t index, const uint8_t* data, StageLaps& laps) {
            const Tile tile = place(image, index);
            const size_t bytes = image.blocks[static_cast<size_t>(index)].bytes,
                         needed = static_cast<size_t>(tile.rows * tile.row_bytes);
            // A whole strip of one band lies in its plane as it is decompressed.
            const bool lies = strips && tile.rows == image.block_height;
            if (!lies) buffers.block.resize(static_cast<size_t>(image.block_height * tile.row_bytes));
            uint8_t* to = lies ? out + tile.top * tile.row_bytes : buffers.block.data();
            const size_t written =
                decompress(image.compression, data, bytes, to, lies ? needed : buffers.block.size(), needed);
            stage_totals().bytes_decoded.fetch_add(static_cast<int64_t>(written), std::memory_order_relaxed);
            laps.lap(Stage::kDecompress);
            lies ? undo_predictors(image, tile, to) : copy_bands(image, tile, to, bands, out);
            laps.lap(Stage::kUnpredict);
        });
}

}  // namespace

void decode_geotiff(const geotiff::Source& source, const Image& image, const std::vector<int64_t>& bands,
                    uint8_t* out) {
    if (!image.planar) return decode_blocks(source, image, 0, bands, out);
    const int64_t blocks = blocks_of_plane(image);
    const int64_t plane_bytes = image.shape.height * image.shape.width * image.sample_bytes;
    for (size_t b = 0; b < bands.size(); ++b)
        decode_blocks(source, image, bands[b] * blocks, {0}, out + static_cast<int64_t>(b) * plane_bytes);
}

}  // namespace seco::cpu
