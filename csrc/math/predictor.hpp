// Undoes TIFF's horizontal differencing (predictor 2) of one row of a band. Source: TIFF Revision 6.0,
// section 14.
#pragma once

#include <cstdint>

#include "common/host_device.hpp"

namespace seco::math {

// Each sample is the sum of itself and all before it; wraps, as TIFF does.
template <typename Unsigned>
SECO_HOST_DEVICE inline void undo_differencing(Unsigned* row, int64_t samples) {
    for (int64_t i = 1; i < samples; ++i) row[i] = static_cast<Unsigned>(row[i] + row[i - 1]);
}

}  // namespace seco::math
