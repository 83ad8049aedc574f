// One record of the parameter array of seco.ops.sample_view_params.
#pragma once

#include <cstdint>

namespace seco {

enum class ColourStep : int8_t { kBrightness = 0, kContrast = 1, kSaturation = 2, kHue = 3 };

struct ViewParams {
    int32_t date;
    int32_t crop_top, crop_left, crop_height, crop_width;  // of the flipped patch, px
    bool flip;
    int8_t order[4];
    float brightness, contrast, saturation, hue;
    bool grey;
    float blur_sigma;
};

}  // namespace seco
