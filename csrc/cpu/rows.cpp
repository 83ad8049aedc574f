#include "cpu/rows.hpp"

#include <algorithm>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "cpu/clones.hpp"
#include "math/colour.hpp"

namespace seco::cpu {
namespace {

// Of kCount floats. GCC splits one that is wider than the registers into memory, so 8 (AVX2) is the widest
// here.
template <int kCount>
struct Vector {
    typedef float Type __attribute__((vector_size(4 * kCount)));
};

template <int kCount>
using Vec = typename Vector<kCount>::Type;

template <typename V>
inline __attribute__((always_inline)) void read(const float* from, V& to) {
    std::memcpy(&to, from, sizeof(V));
}

template <typename V>
inline __attribute__((always_inline)) void write(const V& from, float* to) {
    std::memcpy(to, &from, sizeof(V));
}

template <typename Pixel>
inline __attribute__((always_inline)) void load(const Pixel* __restrict in, float* __restrict out, int width,
                                                float scale, float offset) {
    const auto unit = [=](Pixel number) { return math::to_unit(static_cast<float>(number), scale, offset); };
    int x = 0;
    for (; x + kLanes <= width; x += kLanes)
        for (int i = 0; i < kLanes; ++i) out[x + i] = unit(in[x + i]);
    for (; x < width; ++x) out[x] = unit(in[x]);
    std::fill(out + width, out + padded(width), 0.0f);
}

// Calls body(x) for x in [0, width): the inner loop becomes vectors without a tail.
template <typename Body>
inline __attribute__((always_inline)) void for_row(int width, const Body& body) {
    for (int x = 0; x < width; x += kLanes)
        for (int i = 0; i < kLanes; ++i) body(x + i);
}

// `kLines` cache lines of output stay in registers while the rows go by.
template <int kLines>
inline __attribute__((always_inline)) void weigh(const float* const* rows, int64_t offset,
                                                 const float* weights, int count, float* out) {
    constexpr int kWide = 8, kVectors = kLines * kLanes / kWide;
    Vec<kWide> sums[kVectors] = {};
    for (int k = 0; k < count; ++k) {
        for (int v = 0; v < kVectors; ++v) {
            Vec<kWide> in;
            read(rows[k] + offset + v * kWide, in);
            sums[v] += in * weights[k];
        }
    }
    for (int v = 0; v < kVectors; ++v) write(sums[v], out + v * kWide);
}

// picked[i] = in[index[i]].
inline __attribute__((always_inline)) void pick(const float* in, const int* index,
                                                Vec<RowTaps::kBlock>& picked) {
    for (int i = 0; i < RowTaps::kBlock; ++i) picked[i] = in[index[i]];
}

// The same for indices below 2 * kBlock: one permutation of registers.
inline __attribute__((always_inline)) void pick_near(const float* in, const int* index,
                                                     Vec<RowTaps::kBlock>& picked) {
#if defined(__GNUC__) && !defined(__clang__)
    Vec<RowTaps::kBlock> low, high;
    read(in, low);
    read(in + RowTaps::kBlock, high);
    typedef int Lanes __attribute__((vector_size(sizeof(low))));
    Lanes lanes;
    std::memcpy(&lanes, index, sizeof(lanes));
    picked = __builtin_shuffle(low, high, lanes);
#else
    pick(in, index, picked);
#endif
}

// `kTaps` 0: as many as `taps` says.
template <bool kNear, int kTaps>
inline __attribute__((always_inline)) void resize(const float* in, const RowTaps& taps, float mean,
                                                  float inverse_std, float* out) {
    constexpr int kBlock = RowTaps::kBlock;
    const int count = kTaps ? kTaps : taps.taps;
    const int* index = taps.index.data();
    const float* weight = taps.weights.data();
    for (int b = 0; b < taps.blocks; ++b) {
        const float* from = in + taps.base[static_cast<size_t>(b)];
        Vec<kBlock> sum = {}, samples = {}, weights;
        for (int k = 0; k < count; ++k, index += kBlock, weight += kBlock) {
            if (kNear)
                pick_near(from, index, samples);
            else
                pick(from, index, samples);
            read(weight, weights);
            sum += samples * weights;
        }
        write((sum - mean) * inverse_std, out + b * kBlock);
    }
}

// Four bands at a time, by transpositions of 4 x 4.
inline __attribute__((always_inline)) void interleave_four(const float* in, int64_t stride, int bands,
                                                           float* out, int width) {
    int x = 0;
    for (; x + 4 <= width; x += 4) {
        Vec<4> row[4];
        for (int i = 0; i < 4; ++i) read(in + i * stride + x, row[i]);
        for (int i = 0; i < 4; ++i)
            write(Vec<4>{row[0][i], row[1][i], row[2][i], row[3][i]}, out + int64_t{x + i} * bands);
    }
    for (; x < width; ++x)
        for (int i = 0; i < 4; ++i) out[int64_t{x} * bands + i] = in[i * stride + x];
}

}  // namespace

SECO_CLONES void load_row(const uint8_t* in, float* out, int width, float scale, float offset) {
    load(in, out, width, scale, offset);
}

SECO_CLONES void load_row(const uint16_t* in, float* out, int width, float scale, float offset) {
    load(in, out, width, scale, offset);
}

SECO_CLONES void adjust_row(float* row, int width, float gain, float offset) {
    for_row(width, [=](int x) { row[x] = math::to_unit(row[x], 1.0f + gain, offset); });
}

SECO_CLONES void brighten_row(float* row, int width, float factor) {
    for_row(width, [=](int x) { row[x] = math::brighten(row[x], factor); });
}

SECO_CLONES void blend_row(float* row, int width, float pole, float factor) {
    for_row(width, [=](int x) { row[x] = math::blend(row[x], pole, factor); });
}

SECO_CLONES void blend_row_with(float* __restrict row, const float* __restrict pole, int width,
                                float factor) {
    for_row(width, [=](int x) { row[x] = math::blend(row[x], pole[x], factor); });
}

SECO_CLONES void turn_hue_row(float* __restrict red, float* __restrict green, float* __restrict blue,
                              int width, float shift) {
    for_row(width, [=](int x) {
        const math::Rgb turned = math::turn_hue({red[x], green[x], blue[x]}, shift);
        red[x] = turned.red;
        green[x] = turned.green;
        blue[x] = turned.blue;
    });
}

SECO_CLONES void luma_row(const float* __restrict red, const float* __restrict green,
                          const float* __restrict blue, float* __restrict out, int width) {
    for_row(width, [=](int x) { out[x] = math::luma(red[x], green[x], blue[x]); });
}

SECO_CLONES void add_row(const float* __restrict in, float* __restrict out, int width) {
    for_row(width, [=](int x) { out[x] += in[x]; });
}

SECO_CLONES void scale_row(float* row, int width, float factor) {
    for_row(width, [=](int x) { row[x] *= factor; });
}

SECO_CLONES uint64_t sum_greys(const float* row, int width) {
    uint64_t sum = 0;
    for (int begin = 0; begin < width; begin += 256 * kLanes) {  // so many fit 32 bits
        const int end = std::min(width, begin + 256 * kLanes);
        uint32_t sums[kLanes] = {};
        int x = begin;
        for (; x + kLanes <= end; x += kLanes)
            for (int i = 0; i < kLanes; ++i) sums[i] += math::grey_units(row[x + i]);
        for (; x < end; ++x) sums[x % kLanes] += math::grey_units(row[x]);
        for (const uint32_t part : sums) sum += part;
    }
    return sum;
}

SECO_CLONES void weigh_rows(const float* const* rows, int64_t offset, const float* weights, int count,
                            float* out, int width) {
    for (; width >= 4 * kLanes; width -= 4 * kLanes, offset += 4 * kLanes, out += 4 * kLanes)
        weigh<4>(rows, offset, weights, count, out);
    switch (width / kLanes) {
        case 3:
            return weigh<3>(rows, offset, weights, count, out);
        case 2:
            return weigh<2>(rows, offset, weights, count, out);
        case 1:
            return weigh<1>(rows, offset, weights, count, out);
    }
}

SECO_CLONES void resize_row(const float* in, const RowTaps& taps, float mean, float inverse_std, float* out) {
    if (!taps.near) return resize<false, 0>(in, taps, mean, inverse_std, out);
    switch (taps.taps) {
        case 2:
            return resize<true, 2>(in, taps, mean, inverse_std, out);
        case 3:
            return resize<true, 3>(in, taps, mean, inverse_std, out);
        default:
            return resize<true, 0>(in, taps, mean, inverse_std, out);
    }
}

SECO_CLONES void interleave_rows(const float* __restrict in, int64_t stride, int bands, float* __restrict out,
                                 int width) {
    if (bands == 3) {
        for (int x = 0; x < width; ++x) {
            out[3 * x] = in[x];
            out[3 * x + 1] = in[stride + x];
            out[3 * x + 2] = in[2 * stride + x];
        }
        return;
    }
    int c = 0;
    for (; c + 4 <= bands; c += 4) interleave_four(in + c * stride, stride, bands, out + c, width);
    for (; c < bands; ++c)
        for (int x = 0; x < width; ++x) out[int64_t{x} * bands + c] = in[c * stride + x];
}

void stream_row(const float* in, float* out, int64_t count) {
#ifdef __SSE2__
    while (count > 0 && reinterpret_cast<uintptr_t>(out) % 16) *out++ = *in++, --count;
    for (; count >= 4; in += 4, out += 4, count -= 4) _mm_stream_ps(out, _mm_loadu_ps(in));
#endif
    std::copy_n(in, count, out);
}

void finish_streaming() {
#ifdef __SSE2__
    _mm_sfence();
#endif
}

}  // namespace seco::cpu
