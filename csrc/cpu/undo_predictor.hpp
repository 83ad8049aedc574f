// Undoes TIFF's predictor 2 on rows of one band.
#pragma once

#include <cstdint>

namespace seco::cpu {

// `count` samples of 1, 2 or 4 bytes of one band.
void undo_predictor(uint8_t* row, int sample_bytes, int64_t count);

}  // namespace seco::cpu
