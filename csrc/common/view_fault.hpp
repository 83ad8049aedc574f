// What keeps a view from being made of the pixels of a batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "common/augment_batch.hpp"

namespace seco {

// In words, or empty if nothing does. Differences are formed so that no parameter can overflow.
inline std::string view_fault(const ViewParams& view, const AugmentBatch& batch) {
    if (view.date < 0 || view.date >= batch.dates)
        return "expected dates 0 … " + std::to_string(batch.dates - 1) + ", got " +
               std::to_string(view.date) + "; draw them for " + std::to_string(batch.dates) + " dates";
    const bool inside = view.crop_top >= 0 && view.crop_left >= 0 && view.crop_height > 0 &&
                        view.crop_width > 0 && view.crop_height <= batch.height - view.crop_top &&
                        view.crop_width <= batch.width - view.crop_left;
    if (!inside)
        return "expected crops inside " + std::to_string(batch.height) + "×" + std::to_string(batch.width) +
               " px, got one outside; draw them for this size";
    const int8_t sorted[4] = {0, 1, 2, 3};
    if (!std::is_permutation(view.order, view.order + 4, sorted))
        return "expected order to be a permutation of 0, 1, 2, 3, got another; draw it again";
    const auto finite = [](float number) { return std::isfinite(number); };
    const float colour[] = {view.brightness, view.contrast, view.saturation, view.hue, view.blur_sigma};
    if (!std::all_of(std::begin(colour), std::end(colour), finite) || view.blur_sigma < 0 ||
        !std::all_of(view.band_gain, view.band_gain + kMaxBands, finite) ||
        !std::all_of(view.band_offset, view.band_offset + kMaxBands, finite))
        return "expected finite factors and blur_sigma ≥ 0, got others; draw them again";
    if (std::fabs(view.hue) > 0.5f) return "expected hue within -0.5 … 0.5, got one outside; turn by less";
    if (!batch.rgb && view.hue != 0)
        return "expected hue 0 for " + std::to_string(batch.bands) +
               " bands that are not red, green, blue; use recipe.for_bands";
    return "";
}

}  // namespace seco
