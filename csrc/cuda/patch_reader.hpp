// One patch's pixels as a view sees them before its colour operations: values in [0, 1] of all bands.
#pragma once

#include <cstdint>

#include "common/augment_batch.hpp"
#include "common/host_device.hpp"
#include "math/colour.hpp"

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

    // Of a byte that may be anything, which a bool may not.
    SECO_HOST_DEVICE static bool is_set(const bool& flag) {
        return reinterpret_cast<const uint8_t&>(flag) != 0;
    }

    SECO_HOST_DEVICE static int within(int value, int low, int high) {
        return value < low ? low : (value > high ? high : value);
    }
};

// Samples of a pixel that are `stride` apart in memory.
struct Strided {
    float* first;
    int stride;
    SECO_HOST_DEVICE float& operator[](int c) const { return first[c * stride]; }
};

// `kBands` 0: as many as the batch has.
template <int kBands, typename Pixel>
class PatchReader {
  public:
    // Numbers of one pixel, on their way.
    struct Raw {
        Pixel value[kBands ? kBands : 1];
    };

    SECO_HOST_DEVICE PatchReader(const AugmentBatch& batch, int64_t location, int date,
                                 const ViewParams& view)
        : batch_(batch), view_(view), bands_(kBands ? kBands : batch.bands) {
        area_ = int64_t{batch.height} * batch.width;
        pixels_ = static_cast<const Pixel*>(batch.pixels) + (location * batch.dates + date) * bands_ * area_;
        adjusts_ = false;
        for (int c = 0; c < bands_; ++c)
            adjusts_ = adjusts_ || view.band_gain[c] != 0.0f || view.band_offset[c] != 0.0f;
    }

    SECO_HOST_DEVICE int bands() const { return bands_; }

    // Asks for pixel `at`; few bands only.
    SECO_HOST_DEVICE Raw fetch(int64_t at) const {
        Raw raw;
        for (int c = 0; c < kBands; ++c) raw.value[c] = pixels_[c * area_ + at];
        return raw;
    }

    template <typename Samples>
    SECO_HOST_DEVICE void to_units(const Raw& raw, Samples& x) const {
        for (int c = 0; c < kBands; ++c) x[c] = unit(raw.value[c], c);
    }

    template <typename Samples>
    SECO_HOST_DEVICE void read(int64_t at, Samples& x) const {
        for (int c = 0; c < bands_; ++c) x[c] = unit(pixels_[c * area_ + at], c);
    }

  private:
    SECO_HOST_DEVICE float unit(Pixel number, int c) const {
        const float x = math::to_unit(static_cast<float>(number), batch_.scale[c], batch_.offset[c]);
        return adjusts_ ? math::to_unit(x, 1.0f + view_.band_gain[c], view_.band_offset[c]) : x;
    }

    const AugmentBatch& batch_;
    const ViewParams& view_;
    const Pixel* pixels_;
    int64_t area_;
    int bands_;
    bool adjusts_;
};

}  // namespace seco::cuda
