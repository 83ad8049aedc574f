// The colour operations of one view on one pixel of all bands.
#pragma once

#include "common/host_device.hpp"
#include "common/view_params.hpp"
#include "math/colour.hpp"

namespace seco::math {

// Luma of red, green and blue, else the mean of the bands.
template <typename Samples>
SECO_HOST_DEVICE inline float grey_of(const Samples& x, int bands, bool rgb) {
    if (rgb) return luma(x[0], x[1], x[2]);
    float sum = x[0];
    for (int c = 1; c < bands; ++c) sum += x[c];
    return sum * (1.0f / static_cast<float>(bands));
}

// A view's colour operations: those that change anything, in their order, packed four bits a step so that
// they stay in a register.
struct ColourChain {
    const ViewParams& view;
    uint32_t order = 0;
    int steps = 0;
    float brightness, contrast, saturation, hue;
    bool rgb;

    SECO_HOST_DEVICE ColourChain(const ViewParams& view, int bands, bool rgb)
        : view(view),
          brightness(view.brightness),
          contrast(view.contrast),
          saturation(view.saturation),
          hue(view.hue),
          rgb(rgb) {
        bool changed = false;
        for (int c = 0; c < bands; ++c)
            changed = changed || view.band_gain[c] != 0.0f || view.band_offset[c] != 0.0f;
        if (changed) append(ColourStep::kBandChange);
        for (const int8_t drawn : view.order) {
            const auto step = static_cast<ColourStep>(drawn & 3);
            if (acts(step, bands)) append(step);
        }
        if (is_set(view.grey)) append(ColourStep::kGrey);
    }

    SECO_HOST_DEVICE ColourStep step(int i) const { return static_cast<ColourStep>(order >> (4 * i) & 15u); }

    // Steps before the one at which the mean grey is taken.
    SECO_HOST_DEVICE int before_contrast() const {
        int i = 0;
        while (i < steps && step(i) != ColourStep::kContrast) ++i;
        return i;
    }

    // The first `end` steps. `pole` is the mean grey of the patch where contrast begins.
    template <typename Samples>
    SECO_HOST_DEVICE void apply(Samples& x, int bands, int end, float pole) const {
        for (int i = 0; i < end; ++i) {
            switch (step(i)) {
                case ColourStep::kBrightness:
                    for (int c = 0; c < bands; ++c) x[c] = brighten(x[c], brightness);
                    break;
                case ColourStep::kContrast:
                    for (int c = 0; c < bands; ++c) x[c] = blend(x[c], pole, contrast);
                    break;
                case ColourStep::kSaturation: {
                    const float grey_pole = grey_of(x, bands, rgb);
                    for (int c = 0; c < bands; ++c) x[c] = blend(x[c], grey_pole, saturation);
                    break;
                }
                case ColourStep::kHue: {
                    const Rgb turned = turn_hue({x[0], x[1], x[2]}, hue);
                    x[0] = turned.red;
                    x[1] = turned.green;
                    x[2] = turned.blue;
                    break;
                }
                case ColourStep::kBandChange:
                    for (int c = 0; c < bands; ++c)
                        x[c] = to_unit(x[c], 1.0f + view.band_gain[c], view.band_offset[c]);
                    break;
                case ColourStep::kGrey: {
                    const float value = grey_of(x, bands, rgb);
                    for (int c = 0; c < bands; ++c) x[c] = value;
                    break;
                }
            }
        }
    }

  private:
    SECO_HOST_DEVICE void append(ColourStep step) { order |= static_cast<uint32_t>(step) << (4 * steps++); }

    // Whether one of the drawn steps changes anything.
    SECO_HOST_DEVICE bool acts(ColourStep step, int bands) const {
        switch (step) {
            case ColourStep::kBrightness:
                return brightness != 1.0f;
            case ColourStep::kContrast:
                return contrast != 1.0f;
            case ColourStep::kSaturation:
                return saturation != 1.0f && bands > 1;
            default:
                return hue != 0.0f && rgb;
        }
    }
};

}  // namespace seco::math
