// What both backends of fn.seco.augment_views are told.
#pragma once

#include <dali/pipeline/operator/operator.h>

#include <optional>
#include <string>
#include <vector>

#include "common/augment_batch.hpp"

namespace seco::dali_ops {

class ViewArguments {
  public:
    explicit ViewArguments(const dali::OpSpec& spec);

    dali::DALIDataType type() const { return view_type_ == ViewType::kFloat32 ? DALI_FLOAT : DALI_UINT16; }
    // [views, size, size, bands]
    dali::TensorShape<> shape(const AugmentBatch& batch) const {
        return {batch.views, size_, size_, batch.bands};
    }
    const std::vector<std::vector<float>>& coefficients() const { return coefficients_; }

    // One sample with its records, which are on the host. Pointers to pixels and output are not set.
    AugmentBatch describe(const dali::TensorShape<>& pixels, dali::DALIDataType pixel_type,
                          const dali::TensorList<dali::CPUBackend>& params, int sample) const;

  private:
    void check(const AugmentBatch& batch) const;

    std::optional<bool> rgb_;  // none: where there are three bands
    const int size_;
    ViewType view_type_;
    std::vector<std::vector<float>> coefficients_;  // scale, offset, mean, inverse_std
};

}  // namespace seco::dali_ops
