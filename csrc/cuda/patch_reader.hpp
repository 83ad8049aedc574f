// One patch's pixels as a view sees them before its colour operations: values in [0, 1] of all bands.
#pragma once

#include <cstdint>

#include "common/augment_batch.hpp"
#include "common/host_device.hpp"
#include "cuda/per_band.hpp"
#include "math/colour.hpp"

namespace seco::cuda {

// `kBands`: as in PerBand.
template <int kBands, typename Pixel>
class PatchReader {
  public:
    // Numbers of one pixel, on their way.
    struct Raw {
        Pixel value[kBands ? kBands : 1];
    };

    SECO_HOST_DEVICE PatchReader(const AugmentBatch& batch, int64_t location, int date)
        : batch_(batch), scale_(batch.scale), offset_(batch.offset) {
        pixels_ =
            static_cast<const Pixel*>(batch.pixels) + (location * batch.dates + date) * bands() * area();
    }

    SECO_HOST_DEVICE int bands() const { return kBands ? kBands : batch_.bands; }

    // Asks for pixel `at`; few bands only.
    SECO_HOST_DEVICE Raw fetch(int at) const {
        Raw raw;
        for (int c = 0; c < kBands; ++c) raw.value[c] = pixels_[c * area() + at];
        return raw;
    }

    template <typename Samples>
    SECO_HOST_DEVICE void to_units(const Raw& raw, Samples& x) const {
        for (int c = 0; c < kBands; ++c) x[c] = unit(raw.value[c], c);
    }

    template <typename Samples>
    SECO_HOST_DEVICE void read(int at, Samples& x) const {
        for (int c = 0; c < bands(); ++c) x[c] = unit(pixels_[c * area() + at], c);
    }

  private:
    SECO_HOST_DEVICE int64_t area() const { return int64_t{batch_.height} * batch_.width; }

    SECO_HOST_DEVICE float unit(Pixel number, int c) const {
        return math::to_unit(static_cast<float>(number), scale_[c], offset_[c]);
    }

    const AugmentBatch& batch_;
    const Pixel* pixels_;
    PerBand<kBands> scale_, offset_;
};

}  // namespace seco::cuda
