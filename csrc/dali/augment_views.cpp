// fn.seco.augment_views on DALI's thread pool: the library's own views.
#include <dali/pipeline/operator/operator.h>

#include <string>
#include <vector>

#include "cpu/augment.hpp"

DALI_SCHEMA(seco__AugmentViews)
    .DocStr(R"(Makes the views of each location.

Takes pixels, uint8 or uint16 [T, C, H, W], and parameters, uint8 [V, bytes]: the records of seco.ops.sample_view_params.
Gives [V, size, size, C]: float32, or the bits of bfloat16 as uint16.)")
    .NumInput(2)
    .NumOutput(1)
    .AddArg("size", "Height and width of a view, pixels.", DALI_INT32)
    .AddArg("scale", "Of each band: x = number * scale + offset.", DALI_FLOAT_VEC)
    .AddArg("offset", "Of each band.", DALI_FLOAT_VEC)
    .AddArg("mean", "Of each band: (x - mean) * inverse_std comes last.", DALI_FLOAT_VEC)
    .AddArg("inverse_std", "Of each band.", DALI_FLOAT_VEC)
    .AddOptionalArg("rgb", "The bands are red, green, blue.", false)
    .AddOptionalArg("bfloat16", "Gives the bits of bfloat16 instead of float32.", false);

namespace seco::dali_ops {

using dali::CPUBackend;

class AugmentViews : public dali::Operator<CPUBackend> {
  public:
    explicit AugmentViews(const dali::OpSpec& spec)
        : Operator(spec), rgb_(spec.GetArgument<bool>("rgb")), size_(spec.GetArgument<int>("size")) {
        view_type_ = spec.GetArgument<bool>("bfloat16") ? ViewType::kBfloat16 : ViewType::kFloat32;
        for (const char* name : {"scale", "offset", "mean", "inverse_std"})
            coefficients_.push_back(spec.GetRepeatedArgument<float>(name));
        if (size_ < 1) throw std::invalid_argument("size: expected at least 1, got " + std::to_string(size_));
    }

  protected:
    bool SetupImpl(std::vector<dali::OutputDesc>& outputs, const dali::Workspace& ws) override {
        const auto& pixels = ws.Input<CPUBackend>(0);
        const auto& params = ws.Input<CPUBackend>(1);
        if ((pixels.type() != DALI_UINT8 && pixels.type() != DALI_UINT16) || pixels.sample_dim() != 4)
            throw std::invalid_argument(
                "pixels: expected uint8 or uint16 [T, C, H, W], got another type or shape");
        if (params.type() != DALI_UINT8 || params.sample_dim() != 2)
            throw std::invalid_argument("params: expected uint8 [V, bytes], got another type or shape");
        dali::TensorListShape<> shape(pixels.num_samples(), 4);
        for (int i = 0; i < pixels.num_samples(); ++i) {
            const AugmentBatch batch = describe(pixels, params, i);
            check(batch);
            shape.set_tensor_shape(i, {batch.views, size_, size_, batch.bands});
        }
        outputs.push_back({shape, view_type_ == ViewType::kFloat32 ? DALI_FLOAT : DALI_UINT16});
        return true;
    }

    void RunImpl(dali::Workspace& ws) override {
        const auto& pixels = ws.Input<CPUBackend>(0);
        const auto& params = ws.Input<CPUBackend>(1);
        auto& out = ws.Output<CPUBackend>(0);
        auto& pool = ws.GetThreadPool();
        for (int i = 0; i < pixels.num_samples(); ++i) {
            AugmentBatch batch = describe(pixels, params, i);
            batch.out = out.raw_mutable_tensor(i);
            pool.AddWork([batch](int) { cpu::augment_views(batch, 1); });
        }
        pool.RunAll();
        out.SetLayout("FHWC");
    }

  private:
    AugmentBatch describe(const dali::TensorList<CPUBackend>& pixels,
                          const dali::TensorList<CPUBackend>& params, int sample) const {
        const auto shape = pixels.tensor_shape(sample), records = params.tensor_shape(sample);
        if (records[1] != static_cast<int64_t>(sizeof(ViewParams)))
            throw std::invalid_argument("params: expected records of " + std::to_string(sizeof(ViewParams)) +
                                        " bytes, got " + std::to_string(records[1]) +
                                        "; take them from seco.ops.sample_view_params");
        for (const auto& numbers : coefficients_)
            if (static_cast<int64_t>(numbers.size()) != shape[1])
                throw std::invalid_argument(
                    "scale, offset, mean, inverse_std: expected one number for each of " +
                    std::to_string(shape[1]) + " bands, got " + std::to_string(numbers.size()));
        AugmentBatch batch{};
        batch.pixels = pixels.raw_tensor(sample);
        batch.pixel_type = pixels.type() == DALI_UINT8 ? PixelType::kUint8 : PixelType::kUint16;
        batch.params = static_cast<const ViewParams*>(params.raw_tensor(sample));
        batch.locations = 1;
        batch.dates = shape[0];
        batch.views = records[0];
        batch.bands = static_cast<int>(shape[1]);
        batch.height = static_cast<int>(shape[2]);
        batch.width = static_cast<int>(shape[3]);
        batch.size = size_;
        batch.scale = coefficients_[0].data();
        batch.offset = coefficients_[1].data();
        batch.mean = coefficients_[2].data();
        batch.inverse_std = coefficients_[3].data();
        batch.rgb = rgb_;
        batch.view_type = view_type_;
        batch.channels_last = true;
        return batch;
    }

    // What would make the views read outside the patch.
    void check(const AugmentBatch& batch) const {
        if (batch.bands > kMaxBands || (rgb_ && batch.bands != 3))
            throw std::invalid_argument("pixels: expected at most 16 bands, 3 of them for rgb, got " +
                                        std::to_string(batch.bands));
        for (int64_t v = 0; v < batch.views; ++v)
            if (!fits(batch.params[v], batch))
                throw std::invalid_argument(
                    "params: expected dates and crops inside the pixels, got others; draw them for "
                    "patches of this size");
    }

    const bool rgb_;
    const int size_;
    ViewType view_type_;
    std::vector<std::vector<float>> coefficients_;
};

}  // namespace seco::dali_ops

DALI_REGISTER_OPERATOR(seco__AugmentViews, ::seco::dali_ops::AugmentViews, ::dali::CPU);
