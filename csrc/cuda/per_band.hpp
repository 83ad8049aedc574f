// Numbers of bands.
#pragma once

#include "common/host_device.hpp"

namespace seco::cuda {

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

}  // namespace seco::cuda
