// Crop-only views on the GPU: affine map, flip, antialiased resized crop, normalisation, cast. Colour and
// blur follow later.
#pragma once

#include <cstdint>

#include "common/augment_batch.hpp"

namespace seco::cuda {

// As cpu::augment_views, for a batch whose pixels, coefficients, parameters and output are in the memory of
// the current device. The views must be crop-only. Runs on `stream` (a cudaStream_t) and returns before the
// work is done.
void normalize_crop(const AugmentBatch& batch, void* stream);

}  // namespace seco::cuda
