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

// A number for each band, in registers where bands are few. `kBands` 0: as many as the batch has.
template <int kBands>
class PerBand {
  public:
    explicit SECO_HOST_DEVICE PerBand(const float* values) {
        for (int c = 0; c < kBands; ++c) values_[c] = values[c];
    }
    SECO_HOST_DEVICE float operator[](int c) const { return values_[c]; }

  private:
    float values_[kBands];
};

template <>
class PerBand<0> {
  public:
    explicit SECO_HOST_DEVICE PerBand(const float* values) : values_(values) {}
    SECO_HOST_DEVICE float operator[](int c) const { return values_[c]; }

  private:
    const float* values_;
};

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
