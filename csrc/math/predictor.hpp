// Undoes TIFF's horizontal differencing (predictor 2) of one row. Source: TIFF Revision 6.0, section 14.
#pragma once

#include <cstdint>

#include "common/host_device.hpp"

namespace seco::math {

// `stride` samples lie between a sample and the one it was differenced with: the bands of a pixel. Wraps, as
// TIFF does.
template <typename Unsigned>
SECO_HOST_DEVICE inline void undo_differencing(Unsigned* row, int64_t samples, int64_t stride) {
    for (int64_t i = stride; i < samples; ++i) row[i] = static_cast<Unsigned>(row[i] + row[i - stride]);
}

}  // namespace seco::math
