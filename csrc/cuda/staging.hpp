// What of a batch of GeoTIFFs goes to the GPU: which blocks of the wanted bands, where each lies in the one
// buffer that is copied, where it is decompressed to, and where its rows belong. All of it is decided on the
// host.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "geotiff/parse.hpp"
#include "geotiff/source.hpp"

namespace seco::cuda {

// nvCOMP decompresses one group after the other. What it has no codec for is staged as it is decoded.
enum Group { kDeflateGroup, kZstdGroup, kPlainGroup, kGroups };

// A block that holds wanted bands.
struct Chunk {
    size_t file, block;  // of the batch, and of the file
    int64_t plane;       // of the output: that of the first of its bands
    uint64_t offset;     // of what is staged, in the file: DEFLATE without the wrapping of zlib
    uint64_t bytes;      // that are staged
    uint64_t staged;     // where, in the buffer that is copied
    uint64_t decoded;    // where to, in the memory for decompressed blocks; of the plain group `staged`
    uint64_t room;       // bytes of a whole block
    uint64_t needed;     // bytes of its rows inside the image
};

// All chunks of a batch, group by group.
struct Staging {
    Staging(std::vector<const geotiff::Image*> images, std::vector<int64_t> bands);

    size_t count(Group group) const { return first[group + 1] - first[group]; }
    size_t compressed() const { return first[kPlainGroup]; }  // chunks that nvCOMP decompresses

    std::vector<const geotiff::Image*> images;  // null: the file is left out
    std::vector<int64_t> bands;                 // wanted
    std::vector<Chunk> chunks;
    std::array<size_t, kGroups + 1> first{};           // chunk of each group
    std::array<uint64_t, kGroups> largest{}, total{};  // bytes of decompressed blocks
    std::vector<size_t> first_of_file;                 // chunk; a file's chunks follow one another
    std::vector<size_t> chunks_of_file;
    uint64_t staged_bytes = 0, decoded_bytes = 0;

  private:
    void add_file(size_t file, Group group);
    void add_chunk(Chunk chunk, Group group);
};

// Rows of a block on their way into the output.
struct Slab {
    const uint8_t* from;  // first row
    uint8_t* to;          // where it belongs in the first plane
    int64_t pitch;        // samples between rows of the block
    int32_t rows, columns, samples, planes;
    bool sums;  // predictor 2: a sample is the sum of those to its left
};

// What the GPU is told of each chunk: arrays at the same offsets of the host's buffer and the device's.
struct Tables {
    Tables(uint8_t* base, const Staging& staging);
    static size_t bytes(const Staging& staging);

    const void** compressed;
    size_t* compressed_bytes;
    void** decoded;
    size_t* room;
    size_t* needed;
    Slab* slabs;
    uint32_t* checksums;  // Adler-32 of the decompressed chunk; of the DEFLATE group only
    int32_t* bands;       // wanted, of files whose blocks hold all; others take their only band
};

// The tables on the host, filled but for what `stage_file` knows of each file.
Tables host_tables(uint8_t* base, const Staging& staging);

// Where memories lie on the device.
struct Places {
    uint8_t *staged, *decoded;
    const std::vector<uint8_t*>& outputs;  // of each file: planes of wanted bands
};

// Puts the chunks of a file into the buffer at `staged`, and fills its part of the tables on the host. Files
// may be staged at the same time. Returns the blocks of its ZSTD frames. Throws GeoTiffError.
uint64_t stage_file(const geotiff::Source& source, const Staging& staging, size_t file, uint8_t* staged,
                    const Places& places, const Tables& tables);

}  // namespace seco::cuda
