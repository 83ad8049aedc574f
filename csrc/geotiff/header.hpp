// The first directory of a TIFF: tags and their values, each checked before it is used.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "geotiff/source.hpp"

namespace seco::geotiff {

enum Tag : uint16_t {
    kWidth = 256,
    kHeight = 257,
    kBitsPerSample = 258,
    kCompression = 259,
    kStripOffsets = 273,
    kSamplesPerPixel = 277,
    kRowsPerStrip = 278,
    kStripByteCounts = 279,
    kPlanarConfiguration = 284,
    kPredictor = 317,
    kTileWidth = 322,
    kTileHeight = 323,
    kTileOffsets = 324,
    kTileByteCounts = 325,
    kSampleFormat = 339,
    kModelPixelScale = 33550,
    kModelTiepoint = 33922,
    kModelTransformation = 34264,
    kGeoKeys = 34735,
};

constexpr uint64_t kMaxBlocks = 1 << 20;

class Header {
  public:
    explicit Header(const Source& source) : source_(source) {}

    // Reads the first directory; false, with `foreign` set, if the byte order is not ours.
    bool read(std::string& foreign);

    bool has(Tag tag) const { return entries_.count(tag) != 0; }

    // Whole numbers, at most `most` of them.
    std::vector<uint64_t> values(Tag tag, uint64_t most) const;
    std::vector<double> doubles(Tag tag, uint64_t most) const;

    uint64_t value(Tag tag) const { return values(tag, kMaxBlocks).front(); }
    uint64_t value_or(Tag tag, uint64_t fallback) const { return has(tag) ? value(tag) : fallback; }

  private:
    struct Entry {
        uint16_t type;
        uint64_t count;
        uint64_t offset;  // of the values in the file
    };

    uint64_t number(uint64_t offset, int width) const;
    void add_entry(uint64_t at);
    const Entry& find(Tag tag, uint64_t most) const;
    std::vector<uint64_t> words(const Entry& entry) const;

    const Source& source_;
    bool big_ = false;
    std::map<uint16_t, Entry> entries_;
};

}  // namespace seco::geotiff
