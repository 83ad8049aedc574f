#include "geotiff/parse.hpp"

#include <algorithm>

#include "geotiff/bound.hpp"
#include "geotiff/header.hpp"

namespace seco::geotiff {
namespace {

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
    if (predictor > 2) image.foreign = "predictor " + std::to_string(predictor);
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
