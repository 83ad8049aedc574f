// The colour operations of one view on one pixel of all bands, in the drawn order.
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

// A view's colour operations. The order is packed, four bits a step, so that it stays in a register.
struct ColourChain {
    uint32_t order;
    float brightness, contrast, saturation, hue;
    bool grey, rgb;

    SECO_HOST_DEVICE ColourChain(const ViewParams& view, bool rgb)
        : order(0),
          brightness(view.brightness),
          contrast(view.contrast),
          saturation(view.saturation),
          hue(view.hue),
          grey(view.grey),
          rgb(rgb) {
        for (int i = 0; i < 4; ++i) order |= (static_cast<uint32_t>(view.order[i]) & 3u) << (4 * i);
    }

    SECO_HOST_DEVICE ColourStep step(int i) const {
        return static_cast<ColourStep>(static_cast<int8_t>(order >> (4 * i) & 3u));
    }

    // Steps before the one at which the mean grey is taken.
    SECO_HOST_DEVICE int before_contrast() const {
        int i = 0;
        while (i < 4 && step(i) != ColourStep::kContrast) ++i;
        return i;
    }

    // Whether a step changes anything.
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

    // The first `end` operations. `pole` is the mean grey of the patch where contrast begins.
    template <typename Samples>
    SECO_HOST_DEVICE void apply(Samples& x, int bands, int end, float pole) const {
        for (int i = 0; i < end; ++i) {
            if (!acts(step(i), bands)) continue;
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
            }
        }
    }

    // All operations and the loss of colour.
    template <typename Samples>
    SECO_HOST_DEVICE void apply_all(Samples& x, int bands, float pole) const {
        apply(x, bands, 4, pole);
        if (!grey) return;
        const float value = grey_of(x, bands, rgb);
        for (int c = 0; c < bands; ++c) x[c] = value;
    }
};

}  // namespace seco::math
