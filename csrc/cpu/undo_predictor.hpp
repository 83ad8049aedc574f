// Undoes TIFF's predictor 2 on rows of a decompressed block.
#pragma once

#include <cstdint>

namespace seco::cpu {

// `count` samples of 1, 2 or 4 bytes, `stride` (the bands of a pixel) apart from those that they were
// differenced with.
void undo_predictor(uint8_t* row, int sample_bytes, int64_t count, int64_t stride);

}  // namespace seco::cpu
