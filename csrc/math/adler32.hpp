// Adler-32 of bytes that many threads add up. Source: RFC 1950, section 8.2.
#pragma once

#include <cstdint>

#include "common/host_device.hpp"

namespace seco::math {

// Sums over some of the bytes of a whole; those of its parts add up.
struct AdlerSums {
    static constexpr uint32_t kModulus = 65521;

    uint64_t bytes = 0, weighted = 0;

    // `left` bytes follow, this one included. Of a whole of 2**32 bytes, 64 bits hold the sums of every
    // 256th; only those that were folded may be added to others.
    SECO_HOST_DEVICE void add(uint32_t byte, uint64_t left) {
        bytes += byte;
        weighted += left * byte;
    }

    SECO_HOST_DEVICE void fold() { weighted %= kModulus; }

    // Of `count` bytes.
    SECO_HOST_DEVICE uint32_t checksum(uint64_t count) const {
        const auto low = static_cast<uint32_t>((1 + bytes) % kModulus);
        const auto high = static_cast<uint32_t>((count + weighted) % kModulus);
        return high << 16 | low;
    }
};

}  // namespace seco::math
