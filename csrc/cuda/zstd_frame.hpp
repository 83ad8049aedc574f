// What the headers of a ZSTD frame and of its blocks say, without decompressing it. nvCOMP promises nothing
// for bytes that are no frame, and keeps tables for each block. Source: RFC 8878, sections 3.1.1.1
// and 3.1.1.2.
#pragma once

#include <algorithm>
#include <cstdint>

namespace seco::cuda {

constexpr uint64_t kMostZstdBlock = 128 << 10;  // bytes of a block, compressed or not

// Blocks of the frame that fills `size` bytes; 0 if they are not one whole frame.
inline uint64_t zstd_blocks(const uint8_t* data, uint64_t size) {
    const auto number = [&](uint64_t at, int bytes) {  // little endian
        uint32_t value = 0;
        for (int k = 0; k < bytes; ++k) value |= uint32_t{data[at + static_cast<uint64_t>(k)]} << 8 * k;
        return value;
    };
    if (size < 5 || number(0, 4) != 0xFD2FB528) return 0;
    const uint8_t descriptor = data[4];
    const bool one_segment = descriptor & 32, checksum = descriptor & 4, reserved = descriptor & 8;
    const uint64_t dictionary_bytes[] = {0, 1, 2, 4}, content_bytes[] = {one_segment ? 1u : 0u, 2, 4, 8};
    if (reserved) return 0;
    const uint64_t trailer = checksum ? 4 : 0;
    uint64_t at = 5 + !one_segment + dictionary_bytes[descriptor & 3] + content_bytes[descriptor >> 6];
    for (uint64_t blocks = 1; at + 3 + trailer <= size; ++blocks) {
        const uint32_t header = number(at, 3), type = header >> 1 & 3, bytes = header >> 3;
        const bool last = header & 1, repeats = type == 1;  // one byte, that many times
        if (type == 3 || bytes > kMostZstdBlock) return 0;
        at += 3 + (repeats ? 1 : bytes);
        if (last) return at + trailer == size ? blocks : 0;
    }
    return 0;
}

// How many decompressed bytes nvCOMP is told of, so that its tables have room for all `blocks` of `frames`
// that hold `bytes`. As its answers show (5.3), it has two blocks for a frame, or one for each 64 KiB of
// what it is told if that is more. Frames of high levels may have many small ones.
inline uint64_t zstd_bytes_told(uint64_t frames, uint64_t bytes, uint64_t blocks) {
    constexpr uint64_t kBytesABlock = 64 << 10;
    const uint64_t room = std::max(2 * frames, bytes / kBytesABlock);
    return blocks > room ? blocks * kBytesABlock : bytes;
}

}  // namespace seco::cuda
