// Part of the sum of a patch's greys at the point of the chain at which contrast asks for their mean.
#pragma once

#include "cuda/integers.hpp"
#include "cuda/patch_reader.hpp"
#include "cuda/safe_view.hpp"
#include "math/colour_chain.hpp"

namespace seco::cuda {

constexpr int kSumThreads = 256;
constexpr int kSumPixels = 32 * kSumThreads;  // of a block; what one thread adds up fits 32 bits

// Samples of a pixel that are `stride` apart in memory.
struct Strided {
    float* first;
    int stride;
    SECO_HOST_DEVICE float& operator[](int c) const { return first[c * stride]; }
};

template <int kBands, typename Pixel>
class GreySum {
  public:
    // `scratch` holds kSumThreads samples of each band where kBands is 0.
    SECO_HOST_DEVICE GreySum(const AugmentBatch& batch, float* scratch, int64_t block)
        : batch_(batch), scratch_(scratch) {
        const int64_t parts = count_parts(batch);
        item_ = block / parts;
        first_ = static_cast<int>(block % parts) * kSumPixels;
    }

    static SECO_HOST_DEVICE int64_t count_parts(const AugmentBatch& batch) {
        return (int64_t{batch.height} * batch.width + kSumPixels - 1) / kSumPixels;
    }

    SECO_HOST_DEVICE int64_t item() const { return item_; }
    SECO_HOST_DEVICE bool needed() const { return batch_.params[item_].contrast != 1.0f; }

    SECO_HOST_DEVICE uint32_t add_up(int thread) const {
        const ViewParams& view = batch_.params[item_];
        const SafeView safe(batch_, view);
        const PatchReader<kBands, Pixel> patch(batch_, item_ / batch_.views, safe.date);
        const math::ColourChain chain(view, batch_.bands, batch_.rgb);
        const int before = chain.before_contrast();
        const int area = batch_.height * batch_.width;
        const int end = least(first_ + kSumPixels, area);
        uint32_t sum = 0;
        for (int at = first_ + thread; at < end; at += kSumThreads) {
            if (kBands) {
                float x[kBands ? kBands : 1];
                sum += grey_of(patch, chain, before, at, x);
            } else {
                Strided x{scratch_ + thread, kSumThreads};
                sum += grey_of(patch, chain, before, at, x);
            }
        }
        return sum;
    }

  private:
    template <typename Samples>
    SECO_HOST_DEVICE static uint32_t grey_of(const PatchReader<kBands, Pixel>& patch,
                                             const math::ColourChain& chain, int before, int at, Samples& x) {
        patch.read(at, x);
        chain.apply(x, patch.bands(), before, 0.0f);
        return math::grey_units(math::grey_of(x, patch.bands(), chain.rgb));
    }

    const AugmentBatch& batch_;
    float* scratch_;
    int64_t item_;
    int first_;
};

}  // namespace seco::cuda
