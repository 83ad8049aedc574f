// Runs the host half of the GPU's GeoTIFF decoder, and its kernels thread by thread, on the CPU. nvCOMP's
// place is taken by a function of the caller. Built and called by tests/kernels, not part of the module.
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "cuda/zstd_frame.hpp"
#include "emulation/host_warp.hpp"

namespace seco::cuda {
namespace {

// Bytes that were written to `out`, or -1. `group` 0 is raw DEFLATE, 1 ZSTD.
using Decompress = int64_t (*)(int group, const uint8_t* in, uint64_t bytes, uint8_t* out, uint64_t room);

bool is_whole(const Staging& staging, const Tables& tables, size_t chunk, int64_t written) {
    const auto count = static_cast<uint64_t>(written);
    if (written < 0 || count < tables.needed[chunk] || count > tables.room[chunk]) return false;
    if (chunk >= staging.count(kDeflateGroup)) return true;
    math::AdlerSums all;
    for (int t = 0; t < kUnpackThreads; ++t) {
        const auto part = sum_bytes(static_cast<const uint8_t*>(tables.decoded[chunk]), count, t);
        all.bytes += part.bytes;
        all.weighted += part.weighted;
    }
    return all.checksum(count) == tables.checksums[chunk];
}

// What goes to the GPU in one copy, made on the host: its bytes are moved afterwards, as they would be.
struct Staged {
    std::vector<uint8_t> device, decoded;
    size_t head;

    Staged(const Staging& staging, const std::vector<const geotiff::Source*>& sources,
           const std::vector<uint8_t*>& outputs)
        : decoded(staging.decoded_bytes, uint8_t{0xcd}) {
        head = Tables::bytes(staging);
        std::vector<uint8_t> host(head + staging.staged_bytes);
        device.resize(host.size());
        const Tables tables = host_tables(host.data(), staging);
        const Places places{device.data() + head, decoded.data(), outputs};
        for (size_t file = 0; file < sources.size(); ++file)
            stage_file(*sources[file], staging, file, host.data() + head, places, tables);
        std::memcpy(device.data(), host.data(), host.size());
    }
};

void decode(const std::vector<const geotiff::Source*>& sources, const std::vector<int64_t>& bands,
            Decompress decompress, uint8_t* out, bool* whole) {
    std::vector<geotiff::Image> images;
    for (const auto* source : sources) images.push_back(geotiff::parse(*source));
    const geotiff::Shape& shape = images.front().shape;
    const int sample_bytes = images.front().sample_bytes;
    const auto file_bytes = static_cast<int64_t>(bands.size()) * shape.height * shape.width * sample_bytes;
    std::vector<const geotiff::Image*> all;
    std::vector<uint8_t*> outputs;
    for (size_t f = 0; f < images.size(); ++f) {
        if (!images[f].foreign.empty()) throw GeoTiffError("is foreign: " + images[f].foreign);
        all.push_back(&images[f]);
        outputs.push_back(out + static_cast<int64_t>(f) * file_bytes);
        whole[f] = true;
    }
    const Staging staging(all, bands);
    Staged staged(staging, sources, outputs);
    const Tables tables(staged.device.data(), staging);
    for (size_t chunk = 0; chunk < staging.compressed(); ++chunk) {
        const int64_t written = decompress(
            chunk < staging.first[kZstdGroup] ? 0 : 1, static_cast<const uint8_t*>(tables.compressed[chunk]),
            tables.compressed_bytes[chunk], static_cast<uint8_t*>(tables.decoded[chunk]), tables.room[chunk]);
        if (!is_whole(staging, tables, chunk, written)) whole[staging.chunks[chunk].file] = false;
    }
    unpack_all(staging, tables, images.front());
}

}  // namespace
}  // namespace seco::cuda

extern "C" uint64_t seco_zstd_blocks(const uint8_t* data, uint64_t size) {
    return seco::cuda::zstd_blocks(data, size);
}

extern "C" uint64_t seco_zstd_bytes_told(uint64_t frames, uint64_t bytes, uint64_t blocks) {
    return seco::cuda::zstd_bytes_told(frames, bytes, blocks);
}

// Files of one shape to [files, bands, height, width] at `out`, and for each whether it is whole. Returns
// null, or what went wrong; valid until the next call.
extern "C" const char* seco_emulate_decode(const uint8_t* const* files, const uint64_t* sizes, int64_t count,
                                           const int64_t* bands, int64_t band_count,
                                           seco::cuda::Decompress decompress, uint8_t* out, bool* whole) {
    static std::string message;
    try {
        std::vector<const seco::geotiff::Source*> sources;
        for (int64_t f = 0; f < count; ++f)
            sources.push_back(new seco::geotiff::Source(files[f], sizes[f]));  // a few bytes of a test
        seco::cuda::decode(sources, {bands, bands + band_count}, decompress, out, whole);
        return nullptr;
    } catch (const std::exception& error) {
        message = error.what();
        return message.c_str();
    }
}
