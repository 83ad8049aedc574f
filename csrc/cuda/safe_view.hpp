// The parameters of a view that say where it lies, kept inside the patch.
#pragma once

#include "common/augment_batch.hpp"
#include "common/host_device.hpp"

namespace seco::cuda {

// Parameters that are on the GPU cannot be checked without waiting for it: whatever they say stays inside the
// patch.
struct SafeView {
    int date, top, left, height, width;  // the crop as it lies in the patch
    bool flip;
    float sigma;

    SECO_HOST_DEVICE SafeView(const AugmentBatch& batch, const ViewParams& view)
        : date(within(view.date, 0, static_cast<int>(batch.dates) - 1)),
          height(within(view.crop_height, 1, batch.height)),
          width(within(view.crop_width, 1, batch.width)),
          flip(is_set(view.flip)),
          sigma(view.blur_sigma) {
        top = within(view.crop_top, 0, batch.height - height);
        left = within(view.crop_left, 0, batch.width - width);
        if (flip) left = batch.width - left - width;
    }

    SECO_HOST_DEVICE static int within(int value, int low, int high) {
        return value < low ? low : (value > high ? high : value);
    }
};

}  // namespace seco::cuda
