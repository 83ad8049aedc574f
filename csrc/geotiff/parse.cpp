#include "geotiff/parse.hpp"

#include <algorithm>
#include <map>

#include "geotiff/bound.hpp"

namespace seco::geotiff {
namespace {

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
};

constexpr uint64_t kMaxEntries = 4096;
constexpr uint64_t kMaxBlocks = 1 << 20;

struct Entry {
    uint16_t type;
    uint64_t count;
    uint64_t offset;  // of the values in the file
};

int type_bytes(uint16_t type) {
    switch (type) {
        case 1:
        case 2:
        case 6:
        case 7:
            return 1;
        case 3:
        case 8:
            return 2;
        case 4:
        case 9:
        case 11:
        case 13:
            return 4;
        case 5:
        case 10:
        case 12:
        case 16:
        case 17:
        case 18:
            return 8;
        default:
            return 0;
    }
}

class Header {
  public:
    explicit Header(const Source& source) : source_(source) {}

    // Reads the first directory; false, with `foreign` set, if the byte order is not ours.
    bool read(std::string& foreign) {
        uint8_t magic[4];
        if (source_.size() < 8)
            throw GeoTiffError("is no TIFF: it has " + std::to_string(source_.size()) + " bytes");
        source_.read(0, 4, magic);
        if (magic[0] == 'M' && magic[1] == 'M') {
            foreign = "big-endian";
            return false;
        }
        const unsigned version = magic[2] + 256u * magic[3];
        if (magic[0] != 'I' || magic[1] != 'I' || (version != 42 && version != 43)) {
            foreign = "not a TIFF";
            return false;
        }
        big_ = version == 43;
        if (big_ && (number(4, 2) != 8 || number(6, 2) != 0))
            throw GeoTiffError("has a damaged BigTIFF header");
        const uint64_t directory = big_ ? number(8, 8) : number(4, 4);
        const uint64_t count = number(directory, big_ ? 8 : 2);
        if (count == 0 || count > kMaxEntries)
            throw GeoTiffError("has a directory of " + std::to_string(count) + " entries");
        const uint64_t size = big_ ? 20 : 12, first = directory + (big_ ? 8 : 2);
        for (uint64_t i = 0; i < count; ++i) add_entry(first + i * size);
        return true;
    }

    bool has(Tag tag) const { return entries_.count(tag) != 0; }

    std::vector<uint64_t> values(Tag tag, uint64_t most) const {
        const auto found = entries_.find(tag);
        if (found == entries_.end()) throw GeoTiffError("lacks tag " + std::to_string(tag));
        const Entry& entry = found->second;
        if (entry.count == 0 || entry.count > most || entry.type == 2)
            throw GeoTiffError("has " + std::to_string(entry.count) + " values of tag " +
                               std::to_string(tag));
        const uint64_t width = static_cast<uint64_t>(type_bytes(entry.type));
        if (entry.type != 1 && entry.type != 3 && entry.type != 4 && entry.type != 16)
            throw GeoTiffError("has values of type " + std::to_string(entry.type) + " in tag " +
                               std::to_string(tag));
        if (!source_.holds(entry.offset, entry.count * width))
            throw GeoTiffError("ends before its header does (truncated?)");
        std::vector<uint8_t> bytes(entry.count * width);
        source_.read(entry.offset, bytes.size(), bytes.data());
        std::vector<uint64_t> out(entry.count, 0);
        for (size_t i = 0; i < out.size(); ++i)
            for (size_t k = 0; k < width; ++k) out[i] |= uint64_t{bytes[i * width + k]} << (8 * k);
        return out;
    }

    uint64_t value(Tag tag) const { return values(tag, kMaxBlocks).front(); }
    uint64_t value_or(Tag tag, uint64_t fallback) const { return has(tag) ? value(tag) : fallback; }

  private:
    uint64_t number(uint64_t offset, int width) const {
        uint8_t bytes[8];
        source_.read(offset, static_cast<uint64_t>(width), bytes);
        uint64_t out = 0;
        for (int k = 0; k < width; ++k) out |= uint64_t{bytes[k]} << (8 * k);
        return out;
    }

    void add_entry(uint64_t at) {
        const auto tag = static_cast<uint16_t>(number(at, 2));
        const auto type = static_cast<uint16_t>(number(at + 2, 2));
        const uint64_t count = number(at + 4, big_ ? 8 : 4);
        const uint64_t value_at = at + (big_ ? 12 : 8), inline_bytes = big_ ? 8 : 4;
        const int width = type_bytes(type);
        if (width == 0 || count > source_.size()) return;  // unknown or absurd: an error only if it is needed
        const bool fits = count * static_cast<uint64_t>(width) <= inline_bytes;
        entries_.emplace(tag, Entry{type, count, fits ? value_at : number(value_at, big_ ? 8 : 4)});
    }

    const Source& source_;
    bool big_ = false;
    std::map<uint16_t, Entry> entries_;
};

bool all_equal(const std::vector<uint64_t>& values) {
    return std::all_of(values.begin(), values.end(), [&](uint64_t v) { return v == values.front(); });
}

// NumPy's name of a sample type, or "" if it is not of the fast profile.
std::string dtype_name(uint64_t bits, uint64_t format) {
    const std::string kind = format == 1 ? "uint" : format == 2 ? "int" : "";
    if (!kind.empty() && (bits == 8 || bits == 16 || bits == 32)) return kind + std::to_string(bits);
    return format == 3 && bits == 32 ? "float32" : "";
}

void read_samples(const Header& header, Image& image) {
    const uint64_t samples = header.value_or(kSamplesPerPixel, 1);
    if (samples == 0 || samples > 65535) throw GeoTiffError("has " + std::to_string(samples) + " bands");
    const std::vector<uint64_t> one{1};
    const auto bits = header.has(kBitsPerSample) ? header.values(kBitsPerSample, 65535) : one;
    const auto formats = header.has(kSampleFormat) ? header.values(kSampleFormat, 65535) : one;
    image.shape.bands = static_cast<int64_t>(samples);
    image.shape.dtype =
        all_equal(bits) && all_equal(formats) ? dtype_name(bits.front(), formats.front()) : "";
    if (image.shape.dtype.empty()) {
        image.foreign =
            std::to_string(bits.front()) + "-bit samples of format " + std::to_string(formats.front());
    }
    image.sample_bytes = static_cast<int>(bits.front() / 8);
}

void read_coding(const Header& header, Image& image) {
    const uint64_t compression = header.value_or(kCompression, 1);
    switch (compression) {
        case 1:
            image.compression = Compression::kNone;
            break;
        case 5:
            image.compression = Compression::kLzw;
            break;
#ifdef SECO_WITH_DEFLATE
        case 8:
        case 32946:
            image.compression = Compression::kDeflate;
            break;
#endif
#ifdef SECO_WITH_ZSTD
        case 50000:
            image.compression = Compression::kZstd;
            break;
#endif
        default:
            image.foreign = "compression " + std::to_string(compression);
    }
    const uint64_t predictor = header.value_or(kPredictor, 1);
    image.horizontal_predictor = predictor == 2;
    if (predictor > 2 || (predictor == 2 && image.shape.dtype == "float32"))
        image.foreign = "predictor " + std::to_string(predictor);
    image.planar = header.value_or(kPlanarConfiguration, 1) == 2;
}

void read_layout(const Header& header, Image& image) {
    Shape& shape = image.shape;
    const uint64_t width = header.value(kWidth), height = header.value(kHeight);
    if (width == 0 || height == 0 || width > (1u << 24) || height > (1u << 24) ||
        width * height >
            kMaxImageBytes / (static_cast<uint64_t>(shape.bands) * static_cast<uint64_t>(image.sample_bytes)))
        throw GeoTiffError("declares " + std::to_string(width) + " x " + std::to_string(height) + " px of " +
                           std::to_string(shape.bands) + " bands: nothing, or more than 1 GiB");
    shape.width = static_cast<int64_t>(width);
    shape.height = static_cast<int64_t>(height);
    image.tiled = header.has(kTileWidth);
    const uint64_t block_width = image.tiled ? header.value(kTileWidth) : width;
    const uint64_t rows = image.tiled ? header.value(kTileHeight) : header.value_or(kRowsPerStrip, height);
    const uint64_t block_height = image.tiled ? rows : std::min(rows, height);
    const uint64_t block_samples = image.planar ? 1 : static_cast<uint64_t>(shape.bands);
    if (block_width == 0 || block_height == 0 || block_width > (1u << 20) || block_height > (1u << 24) ||
        block_width * block_height >
            kMaxImageBytes / (block_samples * static_cast<uint64_t>(image.sample_bytes)))
        throw GeoTiffError("declares blocks of " + std::to_string(block_width) + " x " +
                           std::to_string(block_height) + " px");
    image.block_width = static_cast<int64_t>(block_width);
    image.block_height = static_cast<int64_t>(block_height);
    image.blocks_across = static_cast<int64_t>((width + block_width - 1) / block_width);
    image.blocks_down = static_cast<int64_t>((height + block_height - 1) / block_height);
}

// Rows that the data of block `index` holds: the last strip is as short as the image, tiles are always whole.
uint64_t stored_rows(const Image& image, size_t index) {
    const int64_t down = static_cast<int64_t>(index) / image.blocks_across % image.blocks_down;
    const int64_t left = image.shape.height - down * image.block_height;
    return static_cast<uint64_t>(image.tiled ? image.block_height : std::min(image.block_height, left));
}

void read_blocks(const Header& header, const Source& source, Image& image) {
    const auto bands = static_cast<uint64_t>(image.shape.bands);
    const uint64_t count = (image.planar ? bands : 1) * static_cast<uint64_t>(image.blocks_across) *
                           static_cast<uint64_t>(image.blocks_down);
    const auto offsets = header.values(image.tiled ? kTileOffsets : kStripOffsets, kMaxBlocks);
    const auto bytes = header.values(image.tiled ? kTileByteCounts : kStripByteCounts, kMaxBlocks);
    if (offsets.size() != count || bytes.size() != count)
        throw GeoTiffError("lists " + std::to_string(offsets.size()) + " blocks where its size needs " +
                           std::to_string(count));
    const uint64_t row_bytes = static_cast<uint64_t>(image.block_width) * (image.planar ? 1 : bands) *
                               static_cast<uint64_t>(image.sample_bytes);
    uint64_t unclaimed = source.size();
    image.blocks.reserve(count);
    for (size_t i = 0; i < count; ++i) {
        const Block block{offsets[i], bytes[i]};
        if (block.offset == 0 && block.bytes == 0) {
            image.foreign = "sparse blocks";
            return;
        }
        if (!source.holds(block.offset, block.bytes))
            throw GeoTiffError("ends before its data does (truncated?)");
        if (block.bytes > unclaimed) throw GeoTiffError("has blocks that share their bytes");
        unclaimed -= block.bytes;
        check_block(source, image.compression, block, stored_rows(image, i) * row_bytes);
        image.blocks.push_back(block);
    }
}

}  // namespace

std::string Shape::text() const {
    return std::to_string(bands) + " bands of " + std::to_string(height) + " x " + std::to_string(width) +
           " px " + dtype;
}

Image parse(const Source& source) {
    Image image;
    Header header(source);
    if (!header.read(image.foreign)) return image;
    read_samples(header, image);
    if (!image.foreign.empty()) return image;
    read_coding(header, image);
    if (!image.foreign.empty()) return image;
    read_layout(header, image);
    read_blocks(header, source, image);
    return image;
}

}  // namespace seco::geotiff
