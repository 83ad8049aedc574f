#include "dali/view_arguments.hpp"

#include "common/view_fault.hpp"

DALI_SCHEMA(seco__AugmentViews)
    .DocStr(R"(Makes the views of each location.

Takes pixels, uint8 or uint16 [T, C, H, W], and parameters on the CPU, uint8 [V, bytes]: the records of
seco.ops.sample_view_params. Gives [V, size, size, C]: float32, or the bits of float16 or bfloat16 as uint16.)")
    .NumInput(2)
    .InputDevice(1, dali::InputDevice::CPU)
    .NumOutput(1)
    .AddArg("size", "Height and width of a view, pixels.", DALI_INT32)
    .AddArg("scale", "Of each band: x = number * scale + offset.", DALI_FLOAT_VEC)
    .AddArg("offset", "Of each band.", DALI_FLOAT_VEC)
    .AddArg("mean", "Of each band: (x - mean) * inverse_std comes last.", DALI_FLOAT_VEC)
    .AddArg("inverse_std", "Of each band.", DALI_FLOAT_VEC)
    .AddOptionalArg<bool>("rgb", "The bands are red, green, blue; by default exactly when there are three.",
                          nullptr)
    .AddOptionalArg<std::string>("dtype", "float32, float16 or bfloat16.", "float32");

namespace seco::dali_ops {

ViewArguments::ViewArguments(const dali::OpSpec& spec) : size_(spec.GetArgument<int>("size")) {
    if (spec.ArgumentDefined("rgb")) rgb_ = spec.GetArgument<bool>("rgb");
    const auto dtype = spec.GetArgument<std::string>("dtype");
    if (dtype == "float32")
        view_type_ = ViewType::kFloat32;
    else if (dtype == "float16")
        view_type_ = ViewType::kFloat16;
    else if (dtype == "bfloat16")
        view_type_ = ViewType::kBfloat16;
    else
        throw std::invalid_argument("dtype: expected float32, float16 or bfloat16, got " + dtype);
    for (const char* name : {"scale", "offset", "mean", "inverse_std"})
        coefficients_.push_back(spec.GetRepeatedArgument<float>(name));
    if (size_ < 1) throw std::invalid_argument("size: expected at least 1, got " + std::to_string(size_));
}

AugmentBatch ViewArguments::describe(const dali::TensorShape<>& pixels, dali::DALIDataType pixel_type,
                                     const dali::TensorList<dali::CPUBackend>& params, int sample) const {
    if ((pixel_type != DALI_UINT8 && pixel_type != DALI_UINT16) || pixels.sample_dim() != 4)
        throw std::invalid_argument(
            "pixels: expected uint8 or uint16 [T, C, H, W], got another type or shape");
    if (params.type() != DALI_UINT8 || params.sample_dim() != 2)
        throw std::invalid_argument("params: expected uint8 [V, bytes], got another type or shape");
    const auto records = params.tensor_shape(sample);
    if (records[1] != static_cast<int64_t>(sizeof(ViewParams)))
        throw std::invalid_argument("params: expected records of " + std::to_string(sizeof(ViewParams)) +
                                    " bytes, got " + std::to_string(records[1]) +
                                    "; take them from seco.ops.sample_view_params");
    AugmentBatch batch{};
    batch.pixel_type = pixel_type == DALI_UINT8 ? PixelType::kUint8 : PixelType::kUint16;
    batch.params = static_cast<const ViewParams*>(params.raw_tensor(sample));
    batch.locations = 1;
    batch.dates = pixels[0];
    batch.views = records[0];
    batch.bands = static_cast<int>(pixels[1]);
    batch.height = static_cast<int>(pixels[2]);
    batch.width = static_cast<int>(pixels[3]);
    batch.size = size_;
    batch.scale = coefficients_[0].data();
    batch.offset = coefficients_[1].data();
    batch.mean = coefficients_[2].data();
    batch.inverse_std = coefficients_[3].data();
    batch.rgb = rgb_.value_or(batch.bands == 3);
    batch.view_type = view_type_;
    batch.channels_last = batch.locations_first = true;
    check(batch);
    return batch;
}

void ViewArguments::check(const AugmentBatch& batch) const {
    if (batch.bands > kMaxBands || (batch.rgb && batch.bands != 3))
        throw std::invalid_argument("pixels: expected at most 16 bands, 3 of them for rgb, got " +
                                    std::to_string(batch.bands));
    for (const auto& numbers : coefficients_)
        if (static_cast<int>(numbers.size()) != batch.bands)
            throw std::invalid_argument("scale, offset, mean, inverse_std: expected one number for each of " +
                                        std::to_string(batch.bands) + " bands, got " +
                                        std::to_string(numbers.size()));
    for (int64_t v = 0; v < batch.views; ++v)
        if (const std::string fault = view_fault(batch.params[v], batch); !fault.empty())
            throw std::invalid_argument("params: " + fault);
}

}  // namespace seco::dali_ops
