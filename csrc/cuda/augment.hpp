// All views of a batch on the GPU, in at most three kernels: grey sums, views without blur, views with blur.
#pragma once

#include "common/augment_batch.hpp"

namespace seco::cuda {

// What can be said of all views without reading the parameters, which may be on the GPU.
struct ViewExtremes {
    bool any_contrast;  // some view's contrast is not 1
    bool any_sharp;     // some view is not blurred
    float max_sigma;    // 0: no view is blurred
};

// As cpu::augment_views, for a batch whose pixels, coefficients, parameters and output are in the memory of
// the current device. `grey_sums` are locations * views integers there. Runs on `stream` (a cudaStream_t),
// allocates nothing and returns before the work is done.
void augment_views(const AugmentBatch& batch, const ViewExtremes& extremes, uint64_t* grey_sums,
                   void* stream);

}  // namespace seco::cuda
