// One record of the parameter array of seco.ops.sample_view_params.
#pragma once

#include <cstdint>

#include "common/host_device.hpp"

namespace seco {

constexpr int kMaxBands = 16;

// The first four come in the order that is drawn, between the other two.
enum class ColourStep : uint8_t {
    kBrightness = 0,
    kContrast = 1,
    kSaturation = 2,
    kHue = 3,
    kBandChange = 4,
    kGrey = 5
};

struct ViewParams {
    int32_t date;
    int32_t crop_top, crop_left, crop_height, crop_width;  // of the flipped patch, px
    bool flip;
    int8_t order[4];
    float brightness, contrast, saturation, hue;
    bool grey;
    float blur_sigma;
    float band_gain[kMaxBands], band_offset[kMaxBands];  // x * (1 + gain) + offset; gain -1 drops a band
};

// Of a byte that may be anything, which a bool may not: nobody checks parameters that are on the GPU.
SECO_HOST_DEVICE inline bool is_set(const bool& flag) { return reinterpret_cast<const uint8_t&>(flag) != 0; }

}  // namespace seco
