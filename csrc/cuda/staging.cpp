#include "cuda/staging.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"
#include "common/stages.hpp"
#include "cpu/decompress.hpp"
#include "cuda/layout.hpp"
#include "cuda/zstd_frame.hpp"
#include "geotiff/tile.hpp"

namespace seco::cuda {
namespace {

using geotiff::Compression;
using geotiff::Image;

constexpr uint64_t kZlibHeader = 2, kZlibTrailer = 4;  // RFC 1950

Group group_of(const Image& image) {
    if (image.compression == Compression::kDeflate) return kDeflateGroup;
    return image.compression == Compression::kZstd ? kZstdGroup : kPlainGroup;
}

// A stream of zlib around raw DEFLATE: its header is checked, its trailer read.
uint32_t read_zlib(const geotiff::Source& source, const geotiff::Block& block) {
    if (block.bytes < kZlibHeader + kZlibTrailer) throw GeoTiffError("has damaged DEFLATE data");
    uint8_t head[kZlibHeader], tail[kZlibTrailer];
    source.read(block.offset, kZlibHeader, head);
    source.read(block.offset + block.bytes - kZlibTrailer, kZlibTrailer, tail);
    const bool deflate = (head[0] & 15) == 8, whole = (head[0] * 256 + head[1]) % 31 == 0,
               dictionary = (head[1] & 32) != 0;
    if (!deflate || !whole || dictionary) throw GeoTiffError("has damaged DEFLATE data");
    return uint32_t{tail[0]} << 24 | uint32_t{tail[1]} << 16 | uint32_t{tail[2]} << 8 | tail[3];
}

// What no codec of the GPU decodes is decoded here.
void stage_plain(const geotiff::Source& source, const Image& image, const Chunk& chunk, uint8_t* to) {
    thread_local std::vector<uint8_t> raw;
    const uint8_t* data = source.borrow(chunk.offset, chunk.bytes);
    if (!data) {
        raw.resize(chunk.bytes);
        source.read(chunk.offset, chunk.bytes, raw.data());
        data = raw.data();
    }
    cpu::decompress(image.compression, data, chunk.bytes, to, chunk.room, chunk.needed);
}

// Returns the blocks of a ZSTD frame, else 0.
uint64_t stage_chunk(const geotiff::Source& source, const Staging& staging, size_t index, uint8_t* staged,
                     const Tables& tables) {
    const Chunk& chunk = staging.chunks[index];
    uint8_t* to = staged + chunk.staged;
    if (index >= staging.compressed()) {
        stage_plain(source, *staging.images[chunk.file], chunk, to);
        return 0;
    }
    source.read(chunk.offset, chunk.bytes, to);
    if (index < staging.first[kZstdGroup]) {
        tables.checksums[index] = read_zlib(source, staging.images[chunk.file]->blocks[chunk.block]);
        return 0;
    }
    const uint64_t blocks = zstd_blocks(to, chunk.bytes);
    if (blocks == 0) throw GeoTiffError("has damaged ZSTD data");
    return blocks;
}

size_t lay_out(Tables& tables, uint8_t* base, size_t chunks, size_t bands) {
    Layout layout(base);
    tables.compressed = layout.take<const void*>(chunks);
    tables.compressed_bytes = layout.take<size_t>(chunks);
    tables.decoded = layout.take<void*>(chunks);
    tables.room = layout.take<size_t>(chunks);
    tables.needed = layout.take<size_t>(chunks);
    tables.slabs = layout.take<Slab>(chunks);
    tables.checksums = layout.take<uint32_t>(chunks);
    tables.bands = layout.take<int32_t>(bands);
    return layout.used();
}

}  // namespace

Staging::Staging(std::vector<const Image*> all, const std::vector<int64_t>& bands)
    : images(std::move(all)), first_of_file(images.size()), chunks_of_file(images.size()) {
    for (int group = 0; group < kGroups; ++group) {
        for (size_t file = 0; file < images.size(); ++file)
            if (images[file] && group_of(*images[file]) == group)
                add_file(file, bands, static_cast<Group>(group));
        first[static_cast<size_t>(group) + 1] = chunks.size();
    }
}

void Staging::add_file(size_t file, const std::vector<int64_t>& bands, Group group) {
    const Image& image = *images[file];
    first_of_file[file] = chunks.size();
    const int64_t blocks = image.blocks_down * image.blocks_across;
    // Blocks of a planar image hold one band each; those of others hold all.
    const size_t planes = image.planar ? bands.size() : 1;
    for (size_t p = 0; p < planes; ++p) {
        for (int64_t i = 0; i < blocks; ++i) {
            const int64_t block = image.planar ? bands[p] * blocks + i : i;
            const geotiff::Tile tile = place(image, block);
            Chunk chunk{};
            chunk.file = file;
            chunk.block = static_cast<size_t>(block);
            chunk.plane = static_cast<int64_t>(p);
            chunk.offset = image.blocks[chunk.block].offset;
            chunk.bytes = image.blocks[chunk.block].bytes;
            chunk.room = static_cast<uint64_t>(image.block_height * tile.row_bytes);
            chunk.needed = static_cast<uint64_t>(tile.rows * tile.row_bytes);
            add_chunk(chunk, group);
        }
    }
    chunks_of_file[file] = chunks.size() - first_of_file[file];
}

void Staging::add_chunk(Chunk chunk, Group group) {
    chunk.staged = chunk.decoded = staged_bytes;
    if (group == kPlainGroup) {
        staged_bytes += aligned(chunk.room);
    } else {
        if (group == kDeflateGroup) {
            chunk.offset += kZlibHeader;
            chunk.bytes -= std::min(chunk.bytes, kZlibHeader + kZlibTrailer);
        }
        staged_bytes += aligned(chunk.bytes);
        chunk.decoded = decoded_bytes;
        decoded_bytes += aligned(chunk.room);
    }
    largest[group] = std::max(largest[group], chunk.room);
    total[group] += chunk.room;
    chunks.push_back(chunk);
}

Tables::Tables(uint8_t* base, size_t chunks, size_t wanted) { lay_out(*this, base, chunks, wanted); }

size_t Tables::bytes(size_t chunks, size_t wanted) {
    Tables tables(nullptr, 0, 0);
    return lay_out(tables, nullptr, chunks, wanted);
}

void fill_tables(const Staging& staging, const std::vector<int64_t>& bands, uint8_t* staged, uint8_t* decoded,
                 const std::vector<uint8_t*>& outputs, const Tables& tables) {
    for (size_t b = 0; b < bands.size(); ++b) tables.bands[b] = static_cast<int32_t>(bands[b]);
    for (size_t c = 0; c < staging.chunks.size(); ++c) {
        const Chunk& chunk = staging.chunks[c];
        const Image& image = *staging.images[chunk.file];
        const geotiff::Tile tile = place(image, static_cast<int64_t>(chunk.block));
        uint8_t* rows = c < staging.compressed() ? decoded + chunk.decoded : staged + chunk.staged;
        tables.compressed[c] = staged + chunk.staged;
        tables.compressed_bytes[c] = chunk.bytes;
        tables.decoded[c] = rows;
        tables.room[c] = chunk.room;
        tables.needed[c] = chunk.needed;
        Slab& slab = tables.slabs[c];
        slab.from = rows;
        const int64_t pixel = (chunk.plane * image.shape.height + tile.top) * image.shape.width + tile.left;
        slab.to = outputs[chunk.file] + pixel * image.sample_bytes;
        slab.pitch = tile.row_bytes / image.sample_bytes;
        slab.rows = static_cast<int32_t>(tile.rows);
        slab.columns = static_cast<int32_t>(tile.columns);
        slab.samples = static_cast<int32_t>(samples_of(image));
        slab.planes = image.planar ? 1 : static_cast<int32_t>(bands.size());
        slab.sums = image.horizontal_predictor;
    }
}

uint64_t stage_file(const geotiff::Source& source, const Staging& staging, size_t file, uint8_t* staged,
                    const Tables& tables) {
    const size_t first = staging.first_of_file[file], end = first + staging.chunks_of_file[file];
    // One timer for all chunks, which are of one group: each of its own would cost more than a short one.
    const StageTimer timer(first < staging.compressed() ? Stage::kRead : Stage::kDecompress);
    uint64_t blocks = 0, decoded = 0;
    for (size_t i = first; i < end; ++i) {
        blocks += stage_chunk(source, staging, i, staged, tables);
        decoded += staging.chunks[i].needed;
    }
    stage_totals().bytes_decoded.fetch_add(static_cast<int64_t>(decoded), std::memory_order_relaxed);
    return blocks;
}

}  // namespace seco::cuda
