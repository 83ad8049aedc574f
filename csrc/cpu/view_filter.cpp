#include "cpu/view_filter.hpp"

#include <algorithm>

#include "math/resample.hpp"

namespace seco::cpu {

void BlurTaps::tabulate(float sigma) {
    radius = math::blur_radius(sigma);
    weights.assign(static_cast<size_t>(2 * radius + 1), 1.0f);
    float sum = 0.0f;
    for (int k = -radius; k <= radius; ++k)
        sum += weights[static_cast<size_t>(k + radius)] = radius ? math::blur_weight(k, sigma) : 1.0f;
    for (float& weight : weights) weight /= sum;
}

void ResizeTaps::tabulate(int in_size, int out_size) {
    taps = 0;
    for (int i = 0; i < out_size; ++i) taps = std::max(taps, math::resize_taps(i, in_size, out_size).count);
    first.resize(static_cast<size_t>(out_size));
    weights.assign(static_cast<size_t>(out_size) * taps, 0.0f);
    for (int i = 0; i < out_size; ++i) {
        const math::Taps at = math::resize_taps(i, in_size, out_size);
        // Every output has `taps` taps inside the input, so that loops have one length; the extra weigh 0.
        const int start = std::min(at.first, in_size - taps);
        first[static_cast<size_t>(i)] = start;
        float* row = weights.data() + static_cast<size_t>(i) * taps;
        float sum = 0.0f;
        for (int k = at.first; k < at.first + at.count; ++k)
            sum += row[k - start] = math::resize_weight(k, at.centre, in_size, out_size);
        for (int k = 0; k < taps; ++k) row[k] /= sum;
    }
}

void ResizeTaps::blur_first(const BlurTaps& blur) {
    if (blur.radius == 0) return;
    const int wide = taps + 2 * blur.radius;
    std::vector<float> both(first.size() * wide, 0.0f);
    for (size_t i = 0; i < first.size(); ++i) {
        first[i] -= blur.radius;
        for (int k = 0; k < taps; ++k)
            for (size_t j = 0; j < blur.weights.size(); ++j)
                both[i * wide + k + j] += weights[i * taps + k] * blur.weights[j];
    }
    weights.swap(both);
    taps = wide;
}

void arrange(const ResizeTaps& taps, int in_size, bool mirrored, RowTaps& rows) {
    constexpr int kBlock = RowTaps::kBlock;
    const int size = static_cast<int>(taps.first.size());
    rows.taps = taps.taps;
    rows.blocks = (size + kBlock - 1) / kBlock;
    rows.base.resize(static_cast<size_t>(rows.blocks));
    rows.index.resize(static_cast<size_t>(rows.blocks) * taps.taps * kBlock);
    rows.weights.resize(rows.index.size());
    int* index = rows.index.data();
    float* weight = rows.weights.data();
    int reach = 0;
    for (int b = 0; b < rows.blocks; ++b) {
        const int begin = b * kBlock, last = std::min(begin + kBlock, size) - 1;
        const int lowest = mirrored ? in_size - taps.first[static_cast<size_t>(last)] - taps.taps
                                    : taps.first[static_cast<size_t>(begin)];
        rows.base[static_cast<size_t>(b)] = lowest;
        for (int k = 0; k < taps.taps; ++k) {
            for (int i = 0; i < kBlock; ++i) {
                const auto x =
                    static_cast<size_t>(std::min(begin + i, last));  // the rest of the last block: anything
                const int sample = taps.first[x] + k;
                *index = (mirrored ? in_size - 1 - sample : sample) - lowest;
                reach = std::max(reach, *index++);
                *weight++ = taps.weights[x * taps.taps + k];
            }
        }
    }
    rows.near = reach < 2 * kBlock;
}

}  // namespace seco::cpu
