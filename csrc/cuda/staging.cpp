#include "cuda/staging.hpp"

#include <algorithm>
#include <numeric>
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

// Blocks of a planar image hold one band each; those of others hold all.
int64_t planes_of(const Image& image, const std::vector<int64_t>& bands) {
    return image.planar ? static_cast<int64_t>(bands.size()) : 1;
}

Group group_of(const Image& image) {
    if (image.compression == Compression::kDeflate) return kDeflateGroup;
    return image.compression == Compression::kZstd ? kZstdGroup : kPlainGroup;
}

// A stream of zlib around raw DEFLATE: its header is checked, its trailer read.
uint32_t read_zlib(const geotiff::Source& source, const geotiff::Block& block) {
    // Without a byte of DEFLATE between them it is refused, too: nvCOMP may read what it is given none of.
    if (block.bytes <= kZlibHeader + kZlibTrailer) throw GeoTiffError("has damaged DEFLATE data");
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

// What the GPU is told of a chunk, but for its checksum.
void fill_tables(const Staging& staging, size_t index, const Places& places, const Tables& tables) {
    const Chunk& chunk = staging.chunks[index];
    const Image& image = *staging.images[chunk.file];
    const geotiff::Tile tile = place(image, static_cast<int64_t>(chunk.block));
    uint8_t* rows =
        index < staging.compressed() ? places.decoded + chunk.decoded : places.staged + chunk.staged;
    tables.compressed[index] = places.staged + chunk.staged;
    tables.compressed_bytes[index] = chunk.bytes;
    tables.decoded[index] = rows;
    tables.room[index] = chunk.room;
    tables.needed[index] = chunk.needed;
    Slab& slab = tables.slabs[index];
    slab.from = rows;
    const int64_t pixel = (chunk.plane * image.shape.height + tile.top) * image.shape.width + tile.left;
    slab.to = places.outputs[chunk.file] + pixel * image.sample_bytes;
    slab.pitch = tile.row_bytes / image.sample_bytes;
    slab.rows = static_cast<int32_t>(tile.rows);
    slab.columns = static_cast<int32_t>(tile.columns);
    slab.samples = static_cast<int32_t>(samples_of(image));
    slab.planes = image.planar ? 1 : static_cast<int32_t>(staging.bands.size());
    slab.sums = image.horizontal_predictor;
}

size_t lay_out(Tables& tables, uint8_t* base, const Staging& staging) {
    const size_t chunks = staging.chunks.size();
    Layout layout(base);
    tables.compressed = layout.take<const void*>(chunks);
    tables.compressed_bytes = layout.take<size_t>(chunks);
    tables.decoded = layout.take<void*>(chunks);
    tables.room = layout.take<size_t>(chunks);
    tables.needed = layout.take<size_t>(chunks);
    tables.slabs = layout.take<Slab>(chunks);
    tables.checksums = layout.take<uint32_t>(chunks);
    tables.bands = layout.take<int32_t>(staging.bands.size());
    return layout.used();
}

}  // namespace

Staging::Staging(std::vector<const Image*> all, std::vector<int64_t> wanted)
    : images(std::move(all)),
      bands(std::move(wanted)),
      first_of_file(images.size()),
      chunks_of_file(images.size()) {
    for (size_t file = 0; file < images.size(); ++file)
        if (images[file])
            chunks_of_file[file] =
                static_cast<size_t>(blocks_of_plane(*images[file]) * planes_of(*images[file], bands));
    chunks.reserve(std::accumulate(chunks_of_file.begin(), chunks_of_file.end(), size_t{0}));
    for (int group = 0; group < kGroups; ++group) {
        for (size_t file = 0; file < images.size(); ++file)
            if (images[file] && group_of(*images[file]) == group) add_file(file, static_cast<Group>(group));
        first[static_cast<size_t>(group) + 1] = chunks.size();
    }
}

void Staging::add_file(size_t file, Group group) {
    const Image& image = *images[file];
    first_of_file[file] = chunks.size();
    const int64_t blocks = blocks_of_plane(image), planes = planes_of(image, bands);
    for (int64_t p = 0; p < planes; ++p) {
        for (int64_t i = 0; i < blocks; ++i) {
            Chunk chunk{};
            chunk.file = file;
            const int64_t block = image.planar ? bands[static_cast<size_t>(p)] * blocks + i : i;
            const geotiff::Tile tile = place(image, block);
            chunk.block = static_cast<size_t>(block);
            chunk.plane = p;
            chunk.offset = image.blocks[chunk.block].offset;
            chunk.bytes = image.blocks[chunk.block].bytes;
            chunk.room = static_cast<uint64_t>(image.block_height * tile.row_bytes);
            chunk.needed = static_cast<uint64_t>(tile.rows * tile.row_bytes);
            add_chunk(chunk, group);
        }
    }
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

Tables::Tables(uint8_t* base, const Staging& staging) { lay_out(*this, base, staging); }

size_t Tables::bytes(const Staging& staging) {
    Tables tables(nullptr, staging);
    return lay_out(tables, nullptr, staging);
}

Tables host_tables(uint8_t* base, const Staging& staging) {
    const Tables tables(base, staging);
    std::copy(staging.bands.begin(), staging.bands.end(), tables.bands);
    return tables;
}

uint64_t stage_file(const geotiff::Source& source, const Staging& staging, size_t file, uint8_t* staged,
                    const Places& places, const Tables& tables) {
    const size_t first = staging.first_of_file[file], end = first + staging.chunks_of_file[file];
    for (size_t i = first; i < end; ++i) fill_tables(staging, i, places, tables);
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
