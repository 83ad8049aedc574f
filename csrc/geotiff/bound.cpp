#include "geotiff/bound.hpp"

#include <algorithm>
#include <string>

#include "common/error.hpp"
#ifdef SECO_WITH_ZSTD
#include <zstd.h>
#endif

namespace seco::geotiff {
namespace {

// The size that a ZSTD frame's header gives, `fallback` if it gives none: streaming writers, GDAL among them,
// leave it out.
uint64_t frame_size(const Source& source, const Block& block, uint64_t fallback) {
#ifdef SECO_WITH_ZSTD
    uint8_t head[18];  // the longest frame header (RFC 8878, section 3.1.1.1, with the magic number)
    const uint64_t got = std::min<uint64_t>(block.bytes, sizeof head);
    source.read(block.offset, got, head);
    const unsigned long long size = ZSTD_getFrameContentSize(head, got);
    if (size != ZSTD_CONTENTSIZE_UNKNOWN && size != ZSTD_CONTENTSIZE_ERROR) return size;
#else
    (void)source, (void)block;
#endif
    return fallback;
}

}  // namespace

uint64_t max_ratio(Compression compression) {
    switch (compression) {
        case Compression::kNone:
            return 1;
        case Compression::kLzw:
            // The table ends at code 4095, whose string has at most 4095 - 258 + 2 = 3839 bytes and whose
            // code 12 bits: less than 2560 a byte. Shorter codes name strings of at most 255, 767 and 1791
            // bytes in 9, 10 and 11 bits, which is less. Source: TIFF Revision 6.0, section 13.
            return 2560;
        case Compression::kDeflate:
            // A match has at most 258 bytes, its length and its distance a bit each at least. Source: RFC
            // 1951, section 3.2.5.
            return 1032;
        case Compression::kZstd:
            // A block has at most 128 KiB; the shortest way to say so is one that repeats a byte: 3 bytes of
            // header and the byte. Source: RFC 8878, section 3.1.1.2.
            return (128 << 10) / 4;
    }
    return 1;
}

void check_block(const Source& source, Compression compression, const Block& block, uint64_t declared) {
    const auto holds = [&](uint64_t ratio) {  // no product that overflows
        return declared / ratio + (declared % ratio != 0) <= block.bytes;
    };
    // As far as DEFLATE goes no frame is looked at: it would cost a read of each, wanted or not.
    if (holds(max_ratio(compression)) &&
        (compression != Compression::kZstd || holds(max_ratio(Compression::kDeflate)) ||
         declared <= frame_size(source, block, declared)))
        return;
    throw GeoTiffError("declares more pixels than its data can hold: " + std::to_string(declared) +
                       " bytes in a block of " + std::to_string(block.bytes));
}

}  // namespace seco::geotiff
