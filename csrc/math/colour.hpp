// Colour operations on one pixel, values in [0, 1]. Semantics: torchvision v2 functional on float32.
#pragma once

#include <cmath>

#include "common/host_device.hpp"

namespace seco::math {

SECO_HOST_DEVICE inline float clamp01(float x) {
    x = x < 0.0f ? 0.0f : x;
    return x > 1.0f ? 1.0f : x;
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

struct Rgb {
    float red, green, blue;
};

// Share of the chroma that a channel keeps at a hue `distance` sixths of the circle from the middle of the
// two sextants in which it has all: all within one, none beyond two.
SECO_HOST_DEVICE inline float chroma_share(float distance) {
    return clamp01(2.0f - (distance < 0.0f ? -distance : distance));
}

// Turns the hue by `shift` of the full circle, in [-0.5, 0.5]; saturation and value stay. Branch-free HSV.
SECO_HOST_DEVICE inline Rgb turn_hue(Rgb p, float shift) {
    const float rg_max = p.red > p.green ? p.red : p.green;
    const float rg_min = p.red > p.green ? p.green : p.red;
    const float value = rg_max > p.blue ? rg_max : p.blue;
    const float low = rg_min < p.blue ? rg_min : p.blue;
    const float chroma = value - low;
    const float scale = 1.0f / (chroma > 0.0f ? chroma : 1.0f);
    const float from_red = (p.green - p.blue) * scale;
    const float from_green = (p.blue - p.red) * scale + 2.0f;
    const float from_blue = (p.red - p.green) * scale + 4.0f;
    float hue = value == p.red ? from_red : (value == p.green ? from_green : from_blue);  // (-1, 5]
    hue += 6.0f * shift;                                                                  // (-4, 8]
    hue = hue < 0.0f ? hue + 6.0f : hue;
    hue = hue >= 6.0f ? hue - 6.0f : hue;
    // Red is whole around 0, which is 6: what it loses is what a channel in the middle of the circle would
    // keep.
    return {low + chroma * (1.0f - chroma_share(hue - 3.0f)), low + chroma * chroma_share(hue - 2.0f),
            low + chroma * chroma_share(hue - 4.0f)};
}

}  // namespace seco::math
