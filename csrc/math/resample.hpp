// Weights of the antialiased bilinear resize and of the Gaussian blur, for one output sample.
#pragma once

#include <cmath>

#include "common/host_device.hpp"

namespace seco::math {

// Input samples [first, first + count) contribute to one output sample.
struct Taps {
    int first;
    int count;
    float centre;
};

// Triangle filter, as wide as the ratio of sizes when shrinking. Source: PyTorch, upsample_bilinear2d_aa.
SECO_HOST_DEVICE inline Taps resize_taps(int out_index, int in_size, int out_size) {
    const float ratio = static_cast<float>(in_size) / static_cast<float>(out_size);
    const float support = ratio > 1.0f ? ratio : 1.0f;
    const float centre = ratio * (static_cast<float>(out_index) + 0.5f);
    const int low = static_cast<int>(centre - support + 0.5f);
    const int first = low > 0 ? low : 0;
    const int high = static_cast<int>(centre + support + 0.5f);
    const int end = high < in_size ? high : in_size;
    return {first, end - first, centre};
}

// Weight of input sample `index` before normalisation by the sum over the taps.
SECO_HOST_DEVICE inline float resize_weight(int index, float centre, int in_size, int out_size) {
    const float ratio = static_cast<float>(in_size) / static_cast<float>(out_size);
    const float support = ratio > 1.0f ? ratio : 1.0f;
    float distance = (static_cast<float>(index) - centre + 0.5f) / support;
    distance = distance < 0.0f ? -distance : distance;
    return distance < 1.0f ? 1.0f - distance : 0.0f;
}

constexpr int kBlurRadius = 11;  // 23 taps

// Taps further out than 4.5 sigma are left out: all of them together weigh 7e-6, 1/570 of a grey level of 8
// bits.
SECO_HOST_DEVICE inline int blur_radius(float sigma) {
    const float reach = 4.5f * sigma;
    if (!(reach > 0.0f)) return 0;
    return reach < static_cast<float>(kBlurRadius) ? static_cast<int>(std::ceil(reach)) : kBlurRadius;
}

// Weight of the sample `offset` away before normalisation by the sum. In double, so that two libraries whose
// exponentials differ in the last bit still round to the same float.
SECO_HOST_DEVICE inline float blur_weight(int offset, float sigma) {
    const double ratio = static_cast<double>(offset) / static_cast<double>(sigma);
    return static_cast<float>(std::exp(-0.5 * ratio * ratio));
}

// Index of a sample outside [0, size), mirrored at the edges without repeating them, as often as needed.
SECO_HOST_DEVICE inline int reflect(int index, int size) {
    const int period = 2 * (size - 1);
    index = index < 0 ? -index : index;
    if (index > period) index = period > 0 ? index % period : 0;
    return index < period - index ? index : period - index;
}

}  // namespace seco::math
