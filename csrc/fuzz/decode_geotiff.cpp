// Fuzz target: a whole TIFF file, parsed, decoded, and staged for a GPU. GeoTiffError is the expected end of
// a hostile one; every other exception, report of a sanitizer, slow or large run is a finding.
#include "cpu/decode_geotiff.hpp"

#include <cstdint>
#include <numeric>
#include <vector>

#include "common/error.hpp"
#include "emulation/host_warp.hpp"
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

// A refusal of one is no reason to spare the others.
template <typename Work>
void attempt(const Work& work) {
    try {
        work();
    } catch (const GeoTiffError&) {
    }
}

// As for the GPU, where nothing would see an access beside the buffers; nvCOMP is left out.
void stage(const geotiff::Source& source, const geotiff::Image& image, const std::vector<int64_t>& bands) {
    const cuda::Staging staging({&image}, bands);
    std::vector<uint8_t> head(cuda::Tables::bytes(staging)), staged(staging.staged_bytes),
        decoded(staging.decoded_bytes);
    const int64_t plane_bytes = image.shape.height * image.shape.width * image.sample_bytes;
    std::vector<uint8_t> out(bands.size() * static_cast<size_t>(plane_bytes));
    const cuda::Tables tables = cuda::host_tables(head.data(), staging);
    const std::vector<uint8_t*> outputs{out.data()};
    attempt([&] {
        cuda::stage_file(source, staging, 0, staged.data(), {staged.data(), decoded.data(), outputs}, tables);
    });
    cuda::unpack_all(staging, tables, image);
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
        const std::vector<int64_t> some{bands.back(), bands.front(), bands.back()};
        attempt([&] { stage(source, image, some); });
        attempt([&] { decode(source, image, bands); });
        attempt([&] { decode(source, image, some); });
    } catch (const GeoTiffError&) {
    }
    return 0;
}
