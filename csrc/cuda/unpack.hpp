// What is done with decompressed blocks: checked, then put in place row by row. One function for the threads
// of the GPU and for their emulation.
#pragma once

#include "cuda/integers.hpp"
#include "cuda/staging.hpp"
#include "math/adler32.hpp"

namespace seco::cuda {

constexpr int kUnpackThreads = 256;

// The bytes that one thread of a block adds to the checksum of `count` bytes at an address that 4 divides:
// read four at a time, for a load of each would be most of the work.
SECO_HOST_DEVICE inline math::AdlerSums sum_bytes(const uint8_t* data, uint64_t count, int thread) {
    math::AdlerSums sums;
    const auto* words = reinterpret_cast<const uint32_t*>(data);
    const uint64_t whole = count / 4, first = static_cast<uint64_t>(thread);
    for (uint64_t w = first; w < whole; w += kUnpackThreads)
        for (uint32_t i = 0; i < 4; ++i)  // little-endian
            sums.add(words[w] >> 8 * i & 255, count - 4 * w - i);
    if (const uint64_t at = 4 * whole + first; at < count) sums.add(data[at], count - at);
    sums.fold();
    return sums;
}

// One row of one plane, by a warp: `Warp` runs code for each of its lanes, and adds up over them. With
// predictor 2 a sample is the sum of all to its left; that wraps, as TIFF does.
template <typename Value, typename Warp>
SECO_HOST_DEVICE void unpack_row(const Slab& slab, int64_t row, int64_t plane, int64_t band,
                                 int64_t plane_samples, int64_t width, Warp warp) {
    const auto* in = reinterpret_cast<const Value*>(slab.from) + row * slab.pitch + band;
    auto* out = reinterpret_cast<Value*>(slab.to) + plane * plane_samples + row * width;
    Value before = 0;
    for (int32_t first = 0; first < slab.columns; first += kWarp) {
        typename Warp::template Lanes<Value> values;
        warp.each([&](int lane) {
            const int32_t x = first + lane;
            values[lane] = x < slab.columns ? in[int64_t{x} * slab.samples] : Value{0};
        });
        if (slab.sums) before = warp.add_up(values, before);
        warp.each([&](int lane) {
            if (first + lane < slab.columns) out[first + lane] = values[lane];
        });
    }
}

// All rows of a slab that fall to a warp of a block.
template <typename Value, typename Warp>
SECO_HOST_DEVICE void unpack(const Slab& slab, const int32_t* bands, int64_t plane_samples, int64_t width,
                             int warp_number, Warp warp) {
    const int64_t items = int64_t{slab.rows} * slab.planes;
    for (int64_t item = warp_number; item < items; item += kUnpackThreads / kWarp) {
        // Planes of a row after one another: they share the cache lines of a block with all bands.
        const int64_t row = item / slab.planes, plane = item % slab.planes;
        const int64_t band = slab.samples == 1 ? 0 : bands[plane];
        unpack_row<Value>(slab, row, plane, band, plane_samples, width, warp);
    }
}

}  // namespace seco::cuda
