// Loops over one row of floats, compiled for each instruction set and chosen at run time. Contraction is off,
// so that all give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace seco::cpu {

constexpr int kLanes = 16;  // floats of a cache line, and of AVX-512's registers

inline int padded(int width) { return (width + kLanes - 1) / kLanes * kLanes; }

// Memory that grows and is kept; begins at a cache line.
class Floats {
  public:
    float* reserve(int64_t count) {
        const auto lines = static_cast<size_t>((count + kLanes - 1) / kLanes);
        if (lines > lines_.size()) lines_.resize(lines);
        return lines_.front().values;
    }

  private:
    struct alignas(64) CacheLine {
        float values[kLanes];
    };
    std::vector<CacheLine> lines_{1};
};

// Digital numbers to [0, 1]; writes up to padded(width), 0 behind the last.
void load_row(const uint8_t* in, float* out, int width, float scale, float offset);
void load_row(const uint16_t* in, float* out, int width, float scale, float offset);

// These work in place. `width` is padded, here and wherever nothing else is said: that spares loops their
// tails.
void adjust_row(float* row, int width, float gain, float offset);
void brighten_row(float* row, int width, float factor);
void blend_row(float* row, int width, float pole, float factor);
void blend_row_with(float* row, const float* pole, int width, float factor);
void turn_hue_row(float* red, float* green, float* blue, int width, float shift);

void luma_row(const float* red, const float* green, const float* blue, float* out, int width);
void add_row(const float* in, float* out, int width);
void scale_row(float* row, int width, float factor);

// Sum of math::grey_units. Any width.
uint64_t sum_greys(const float* row, int width);

// out[x] = sum over k of rows[k][offset + x] * weights[k].
void weigh_rows(const float* const* rows, int64_t offset, const float* weights, int count, float* out,
                int width);

// One axis of a resize, laid out for resize_row: in blocks of kBlock outputs, each out of few samples from
// base on.
struct RowTaps {
    static constexpr int kBlock = 8;
    int taps = 0, blocks = 0;
    bool near = false;           // no index is 2 * kBlock or more
    std::vector<int> base;       // [blocks]
    std::vector<int> index;      // [blocks][taps][kBlock], counted from the block's base
    std::vector<float> weights;  // likewise
};

// out[x] = (sum over its taps - mean) * inverse_std for all blocks. `in` is readable 2 * kBlock beyond its
// end.
void resize_row(const float* in, const RowTaps& taps, float mean, float inverse_std, float* out);

// Rows of `bands` bands, `stride` apart and padded, to pixels of all bands: [width][bands]. Any width.
void interleave_rows(const float* in, int64_t stride, int bands, float* out, int width);

// Copies past the caches where it can: what is written is not read soon. Others see it after
// finish_streaming().
void stream_row(const float* in, float* out, int64_t count);
void finish_streaming();

}  // namespace seco::cpu
