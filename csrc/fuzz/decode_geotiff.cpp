// Fuzz target: a whole TIFF file, parsed and decoded. GeoTiffError is the expected end of a hostile one;
// every other exception, report of a sanitizer, slow or large run is a finding.
#include "cpu/decode_geotiff.hpp"

#include <cstdint>
#include <numeric>
#include <vector>

#include "common/error.hpp"
#include "geotiff/georeference.hpp"
#include "geotiff/parse.hpp"
#include "geotiff/source.hpp"

namespace {

using namespace seco;

constexpr int64_t kMostBytes = 4 << 20;  // larger images only make a run slow

// Into an array of exactly the bands' size, so that AddressSanitizer sees the first byte beyond it.
void decode(const geotiff::Source& source, const geotiff::Image& image, const std::vector<int64_t>& bands) {
    const int64_t plane_bytes = image.shape.height * image.shape.width * image.sample_bytes;
    std::vector<uint8_t> out(bands.size() * static_cast<size_t>(plane_bytes));
    cpu::decode_geotiff(source, image, bands, out.data());
}

bool small(const geotiff::Image& image) {
    const int64_t bytes = image.shape.bands * image.sample_bytes;
    return image.shape.height * image.shape.width * bytes <= kMostBytes &&
           image.block_height * image.block_width * bytes <= kMostBytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const geotiff::Source source(data, size);
        const geotiff::Image image = geotiff::parse(source);
        geotiff::read_georeference(source);
        if (!image.foreign.empty() || !small(image)) return 0;
        std::vector<int64_t> bands(static_cast<size_t>(image.shape.bands));
        std::iota(bands.begin(), bands.end(), 0);
        decode(source, image, bands);
        decode(source, image, {bands.back(), bands.front(), bands.back()});
    } catch (const GeoTiffError&) {
    }
    return 0;
}
