// fn.seco.augment_views on the GPU: all views of the batch in at most three kernels.
#include <dali/kernels/dynamic_scratchpad.h>

#include <algorithm>

#include "cuda/augment.hpp"
#include "cuda/check.cuh"
#include "dali/view_arguments.hpp"

namespace seco::dali_ops {

using dali::CPUBackend;
using dali::GPUBackend;
namespace mm = dali::mm;

class AugmentViewsGpu : public dali::Operator<GPUBackend> {
  public:
    explicit AugmentViewsGpu(const dali::OpSpec& spec) : Operator(spec), arguments_(spec) {}

  protected:
    bool SetupImpl(std::vector<dali::OutputDesc>& outputs, const dali::Workspace& ws) override {
        const auto& pixels = ws.Input<GPUBackend>(0);
        const auto& params = ws.Input<CPUBackend>(1);
        records_.clear();
        for (int i = 0; i < pixels.num_samples(); ++i) {
            const AugmentBatch one = arguments_.describe(pixels.tensor_shape(i), pixels.type(), params, i);
            records_.insert(records_.end(), one.params, one.params + one.views);
            if (i == 0) batch_ = one;
            if (one.views != batch_.views || pixels.tensor_shape(i) != pixels.tensor_shape(0))
                throw std::invalid_argument(
                    "pixels, params: expected as many of one size for every location, got others; make them "
                    "on the CPU, or in batches of one size");
        }
        batch_.locations = pixels.num_samples();
        outputs.push_back(
            {dali::uniform_list_shape(pixels.num_samples(), arguments_.shape(batch_)), arguments_.type()});
        return true;
    }

    void RunImpl(dali::Workspace& ws) override {
        const auto& pixels = ws.Input<GPUBackend>(0);
        auto& out = ws.Output<GPUBackend>(0);
        if (!pixels.IsContiguousInMemory() || !out.IsContiguousInMemory())
            throw std::runtime_error("pixels: expected a batch in one piece, got one in several");
        dali::kernels::DynamicScratchpad memory{dali::AccessOrder(ws.stream())};
        AugmentBatch batch = batch_;
        batch.pixels = pixels.raw_tensor(0);
        batch.out = out.raw_mutable_tensor(0);
        batch.params = to_device(memory, records_, ws.stream());
        std::vector<float> numbers;
        for (const auto& of_bands : arguments_.coefficients())
            numbers.insert(numbers.end(), of_bands.begin(), of_bands.end());
        batch.scale = to_device(memory, numbers, ws.stream());
        batch.offset = batch.scale + batch.bands;
        batch.mean = batch.offset + batch.bands;
        batch.inverse_std = batch.mean + batch.bands;
        auto* sums = memory.Allocate<mm::memory_kind::device, uint64_t>(records_.size());
        cuda::augment_views(batch, extremes(), sums, ws.stream());
        out.SetLayout("FHWC");
    }

  private:
    template <typename Value>
    static Value* to_device(dali::kernels::DynamicScratchpad& memory, const std::vector<Value>& values,
                            cudaStream_t stream) {
        auto* host = memory.Allocate<mm::memory_kind::pinned, Value>(values.size());
        auto* device = memory.Allocate<mm::memory_kind::device, Value>(values.size());
        std::copy(values.begin(), values.end(), host);
        SECO_CUDA_CHECK(
            cudaMemcpyAsync(device, host, values.size() * sizeof(Value), cudaMemcpyHostToDevice, stream));
        return device;
    }

    cuda::ViewExtremes extremes() const {
        cuda::ViewExtremes all{false, false, 0.0f};
        for (const ViewParams& view : records_) {
            all.any_contrast = all.any_contrast || view.contrast != 1.0f;
            all.any_sharp = all.any_sharp || view.blur_sigma == 0.0f;
            all.max_sigma = std::max(all.max_sigma, view.blur_sigma);
        }
        return all;
    }

    const ViewArguments arguments_;
    AugmentBatch batch_{};             // pointers are set when it runs
    std::vector<ViewParams> records_;  // of all views
};

}  // namespace seco::dali_ops

DALI_REGISTER_OPERATOR(seco__AugmentViews, ::seco::dali_ops::AugmentViewsGpu, ::dali::GPU);
