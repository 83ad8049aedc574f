// Colour operations on one pixel, values in [0, 1]. Semantics: torchvision v2 functional on float32.
#pragma once

#include <cmath>
#include <cstdint>

#include "common/host_device.hpp"

namespace seco::math {

// Compared this way round, it costs a GPU no instruction: the sum or product before it saturates. What is not
// a number becomes 0 there.
SECO_HOST_DEVICE inline float clamp01(float x) {
    x = x > 0.0f ? x : 0.0f;
    return x < 1.0f ? x : 1.0f;
}

// Digital number to [0, 1].
SECO_HOST_DEVICE inline float to_unit(float dn, float scale, float offset) {
    return clamp01(dn * scale + offset);
}

SECO_HOST_DEVICE inline float brighten(float x, float factor) { return clamp01(x * factor); }

// Moves x away from (factor > 1) or towards (factor < 1) a pole: the mean grey for contrast, the grey for
// saturation.
SECO_HOST_DEVICE inline float blend(float x, float pole, float factor) {
    return clamp01(factor * x + (1.0f - factor) * pole);
}

// Rec. 601 luma, with torchvision's rounding of the weights.
SECO_HOST_DEVICE inline float luma(float red, float green, float blue) {
    return 0.2989f * red + 0.587f * green + 0.114f * blue;
}

// Greys are added up as integers: the sum is the same in any order, on every device.
constexpr float kGreyUnit = 8388608.0f;  // 2^23: a grey of 1

SECO_HOST_DEVICE inline uint32_t grey_units(float grey) {
    return static_cast<uint32_t>(static_cast<int32_t>(grey * kGreyUnit + 0.5f));
}

SECO_HOST_DEVICE inline float mean_grey(uint64_t units, int64_t pixels) {
    return static_cast<float>(static_cast<double>(units) /
                              (static_cast<double>(pixels) * static_cast<double>(kGreyUnit)));
}

struct Rgb {
    float red, green, blue;
};

// What a channel keeps of the chroma at `distance` from the middle of the two sextants in which it has all,
// both in units in which a sextant is as long as the chroma: all within one sextant, none beyond two.
SECO_HOST_DEVICE inline float kept_chroma(float distance, float chroma) {
    const float kept = 2.0f * chroma - (distance < 0.0f ? -distance : distance);
    return fminf(fmaxf(kept, 0.0f), chroma);
}

// Turns the hue by `shift` of the full circle, in [-0.5, 0.5]; saturation and value stay. HSV without a
// branch, and without a division: the hue is measured in chromas, of which the circle has six.
SECO_HOST_DEVICE inline Rgb turn_hue(Rgb p, float shift) {
    const float value = fmaxf(fmaxf(p.red, p.green), p.blue), low = fminf(fminf(p.red, p.green), p.blue);
    const float chroma = value - low, circle = 6.0f * chroma;
    const float from_red = p.green - p.blue;
    const float from_green = (p.blue - p.red) + 2.0f * chroma;
    const float from_blue = (p.red - p.green) + 4.0f * chroma;
    float hue = value == p.red ? from_red : (value == p.green ? from_green : from_blue);  // (-1, 5]
    hue += shift * circle;                                                                // (-4, 8]
    hue = hue < 0.0f ? hue + circle : hue;
    hue = hue >= circle ? hue - circle : hue;
    // Red is whole around 0, which is 6: what it loses is what a channel in the middle of the circle would
    // keep.
    return {low + (chroma - kept_chroma(hue - 3.0f * chroma, chroma)),
            low + kept_chroma(hue - 2.0f * chroma, chroma), low + kept_chroma(hue - 4.0f * chroma, chroma)};
}

}  // namespace seco::math
