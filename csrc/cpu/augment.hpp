// All views of a batch on the CPU.
#pragma once

#include "common/augment_batch.hpp"

namespace seco::cpu {

void augment_views(const AugmentBatch& batch, int threads);

}  // namespace seco::cpu
