#include "cpu/decompress.hpp"

#include <cstring>
#include <memory>
#include <string>

#include "common/error.hpp"
#ifdef SECO_WITH_DEFLATE
#include <libdeflate.h>
#endif
#ifdef SECO_WITH_ZSTD
#include <zstd.h>
#endif

namespace seco::cpu {
namespace {

// TIFF's LZW: codes of 9 to 12 bits, most significant bit first, widened one code early.
// Source: TIFF Revision 6.0, section 13.
class Lzw {
  public:
    size_t decode(const uint8_t* in, size_t size, uint8_t* out, size_t room) {
        size_t written = 0;
        reset();
        int previous = -1;
        for (;;) {
            const int code = next_code(in, size);
            if (code < 0 || code == kEnd || written == room) return written;
            if (code == kClear) {
                reset_table();
                previous = -1;
                continue;
            }
            const bool known = code < kFirst ? code < kClear : code < next_;
            if (!known && (previous < 0 || code != next_)) throw GeoTiffError("has damaged LZW data");
            // A code that is just being made stands for the previous string and its first byte.
            const int string = known ? code : previous;
            const size_t length = length_of(string) + (known ? 0 : 1);
            const size_t take = length < room - written ? length : room - written;
            const uint8_t first = write(string, out + written, take);
            if (!known && take == length) out[written + length - 1] = first;
            written += take;
            if (previous >= 0 && next_ < kLimit) add(previous, first);
            previous = code;
        }
    }

  private:
    static constexpr int kClear = 256, kEnd = 257, kFirst = 258, kLimit = 4096;

    void reset() {
        bit_ = 0;
        reset_table();
    }

    void reset_table() {
        next_ = kFirst;
        width_ = 9;
    }

    int next_code(const uint8_t* in, size_t size) {
        const size_t byte = bit_ / 8;
        if (bit_ + static_cast<size_t>(width_) > size * 8) return -1;
        uint32_t window = 0;
        for (size_t k = 0; k < 3; ++k) window = window << 8 | (byte + k < size ? in[byte + k] : 0u);
        const int shift = 24 - static_cast<int>(bit_ % 8) - width_;
        bit_ += static_cast<size_t>(width_);
        return static_cast<int>(window >> shift) & ((1 << width_) - 1);
    }

    size_t length_of(int code) const { return code < kClear ? 1 : length_[code]; }

    // Writes the first `take` bytes of the string and returns its very first.
    uint8_t write(int code, uint8_t* out, size_t take) const {
        for (size_t at = length_of(code); code >= kFirst; code = prefix_[code])
            if (--at < take) out[at] = last_[code];
        if (take > 0) out[0] = static_cast<uint8_t>(code);
        return static_cast<uint8_t>(code);
    }

    void add(int prefix, uint8_t last) {
        prefix_[next_] = static_cast<uint16_t>(prefix);
        last_[next_] = last;
        length_[next_] = static_cast<uint32_t>(length_of(prefix) + 1);
        ++next_;
        if (next_ + 1 >= (1 << width_) && width_ < 12) ++width_;
    }

    size_t bit_ = 0;
    int next_ = kFirst, width_ = 9;
    uint16_t prefix_[kLimit];
    uint8_t last_[kLimit];
    uint32_t length_[kLimit];
};

#ifdef SECO_WITH_DEFLATE
size_t inflate(const uint8_t* in, size_t size, uint8_t* out, size_t room) {
    struct Free {
        void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
    };
    thread_local std::unique_ptr<libdeflate_decompressor, Free> decompressor(libdeflate_alloc_decompressor());
    size_t written = 0;
    if (!decompressor ||
        libdeflate_zlib_decompress(decompressor.get(), in, size, out, room, &written) != LIBDEFLATE_SUCCESS)
        throw GeoTiffError("has damaged DEFLATE data");
    return written;
}
#endif

#ifdef SECO_WITH_ZSTD
size_t unzstd(const uint8_t* in, size_t size, uint8_t* out, size_t room) {
    struct Free {
        void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
    };
    thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
    const size_t written = context ? ZSTD_decompressDCtx(context.get(), out, room, in, size) : 0;
    if (!context || ZSTD_isError(written)) throw GeoTiffError("has damaged ZSTD data");
    return written;
}
#endif

size_t decode(geotiff::Compression compression, const uint8_t* in, size_t size, uint8_t* out, size_t room) {
    switch (compression) {
        case geotiff::Compression::kNone: {
            const size_t written = size < room ? size : room;
            if (written) std::memcpy(out, in, written);
            return written;
        }
        case geotiff::Compression::kLzw: {
            thread_local Lzw lzw;
            return lzw.decode(in, size, out, room);
        }
#ifdef SECO_WITH_DEFLATE
        case geotiff::Compression::kDeflate:
            return inflate(in, size, out, room);
#endif
#ifdef SECO_WITH_ZSTD
        case geotiff::Compression::kZstd:
            return unzstd(in, size, out, room);
#endif
        default:
            throw GeoTiffError("uses a codec that is not in this build");
    }
}

}  // namespace

size_t decompress(geotiff::Compression compression, const uint8_t* in, size_t size, uint8_t* out, size_t room,
                  size_t needed) {
    const size_t written = decode(compression, in, size, out, room);
    if (written < needed)
        throw GeoTiffError("has a block of " + std::to_string(written) + " bytes where " +
                           std::to_string(needed) + " are needed");
    return written;
}

}  // namespace seco::cpu
