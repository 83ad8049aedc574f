#include "cpu/augment.hpp"
#ifdef SECO_WITH_CUDA
#include "cuda/augment.hpp"
#endif

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "bindings/bindings.hpp"
#include "bindings/dlpack.hpp"
#include "common/error.hpp"
#include "common/view_fault.hpp"

namespace py = pybind11;

namespace seco::bindings {
namespace {

using Floats = py::array_t<float, py::array::c_style>;
using Params = py::array_t<ViewParams, py::array::c_style>;

ViewType view_type_of(const std::string& dtype) {
    if (dtype == "float32") return ViewType::kFloat32;
    return dtype == "float16" ? ViewType::kFloat16 : ViewType::kBfloat16;
}

void check_view_params(const Params& params, int64_t dates, int bands, int height, int width, bool rgb) {
    AugmentBatch batch{};
    batch.dates = dates;
    batch.bands = bands;
    batch.height = height;
    batch.width = width;
    batch.rgb = rgb;
    for (py::ssize_t i = 0; i < params.size(); ++i)
        if (const std::string fault = view_fault(params.data()[i], batch); !fault.empty())
            throw ArrayError("params: " + fault);
}

// `out` holds float32, or the bits of 16-bit floats as uint16. Shapes and ranges are checked in
// seco/ops/augment.py.
void augment_views(const py::array& pixels, const Params& params, const Floats& scale, const Floats& offset,
                   const Floats& mean, const Floats& inverse_std, bool rgb, py::array& out,
                   const std::string& dtype, bool channels_last, int size, int threads) {
    if (pixels.ndim() != 5 || params.ndim() != 2) throw ArrayError("augment_views: unchecked shapes");
    AugmentBatch batch{};
    batch.pixels = pixels.data();
    batch.pixel_type = pixels.itemsize() == 1 ? PixelType::kUint8 : PixelType::kUint16;
    batch.params = params.data();
    batch.locations = pixels.shape(0);
    batch.dates = pixels.shape(1);
    batch.views = params.shape(1);
    batch.bands = static_cast<int>(pixels.shape(2));
    batch.height = static_cast<int>(pixels.shape(3));
    batch.width = static_cast<int>(pixels.shape(4));
    batch.size = size;
    batch.scale = scale.data();
    batch.offset = offset.data();
    batch.mean = mean.data();
    batch.inverse_std = inverse_std.data();
    batch.rgb = rgb;
    batch.out = out.mutable_data();
    batch.view_type = view_type_of(dtype);
    batch.channels_last = channels_last;
    const WithoutGil released;
    cpu::augment_views(batch, threads);
}

// As above for tensors on the current CUDA device: `params` are the records' bytes [N, V, itemsize],
// `coefficients` [4, C] are scale, offset, mean and 1 / std, `grey_sums` int64 [N * V] are scratch. The
// caller keeps the tensors alive until `stream` is done.
#ifdef SECO_WITH_CUDA
void augment_views_cuda(const py::capsule& pixels, const py::capsule& params, const py::capsule& coefficients,
                        const py::capsule& grey_sums, const py::capsule& out, const std::string& dtype,
                        bool channels_last, bool rgb, bool any_contrast, bool any_sharp, float max_sigma,
                        int size, uintptr_t stream) {
    const LentTensor in(pixels), records(params), numbers(coefficients), sums(grey_sums), views(out);
    for (const auto* tensor : {&in, &records, &numbers, &sums, &views})
        if (!tensor->on_cuda()) throw DeviceError("pixels: expected tensors on CUDA, got others; move them");
    if (in.rank() != 5 || records.rank() != 3) throw ArrayError("augment_views: unchecked shapes");
    AugmentBatch batch{};
    batch.pixels = in.data();
    batch.pixel_type = in.bits() == 8 ? PixelType::kUint8 : PixelType::kUint16;
    batch.params = static_cast<const ViewParams*>(records.data());
    batch.locations = in.shape(0);
    batch.dates = in.shape(1);
    batch.bands = static_cast<int>(in.shape(2));
    batch.height = static_cast<int>(in.shape(3));
    batch.width = static_cast<int>(in.shape(4));
    batch.views = records.shape(1);
    batch.size = size;
    const auto* number = static_cast<const float*>(numbers.data());
    batch.scale = number;
    batch.offset = number + batch.bands;
    batch.mean = number + 2 * batch.bands;
    batch.inverse_std = number + 3 * batch.bands;
    batch.rgb = rgb;
    batch.out = views.data();
    batch.view_type = view_type_of(dtype);
    batch.channels_last = channels_last;
    const WithoutGil released;
    cuda::augment_views(batch, {any_contrast, any_sharp, max_sigma}, static_cast<uint64_t*>(sums.data()),
                        reinterpret_cast<void*>(stream));
}
#else
void augment_views_cuda(const py::capsule&, const py::capsule&, const py::capsule&, const py::capsule&,
                        const py::capsule&, const std::string&, bool, bool, bool, bool, float, int,
                        uintptr_t) {
    throw DeviceError(
        "pixels: expected a CPU tensor, got one on CUDA, but seco was built without CUDA; build it with "
        "nvcc");
}
#endif

}  // namespace

void bind_augment(py::module_& m) {
    PYBIND11_NUMPY_DTYPE(ViewParams, date, crop_top, crop_left, crop_height, crop_width, flip, order,
                         brightness, contrast, saturation, hue, grey, blur_sigma, band_gain, band_offset);
    m.attr("view_dtype") = py::dtype::of<ViewParams>();
    m.def("check_view_params", &check_view_params, py::arg("params").noconvert(), py::arg("dates"),
          py::arg("bands"), py::arg("height"), py::arg("width"), py::arg("rgb"));
    m.def("augment_views", &augment_views, py::arg("pixels").noconvert(), py::arg("params").noconvert(),
          py::arg("scale").noconvert(), py::arg("offset").noconvert(), py::arg("mean").noconvert(),
          py::arg("inverse_std").noconvert(), py::arg("rgb"), py::arg("out").noconvert(), py::arg("dtype"),
          py::arg("channels_last"), py::arg("size"), py::arg("threads"));
    m.def("augment_views_cuda", &augment_views_cuda, py::arg("pixels"), py::arg("params"),
          py::arg("coefficients"), py::arg("grey_sums"), py::arg("out"), py::arg("dtype"),
          py::arg("channels_last"), py::arg("rgb"), py::arg("any_contrast"), py::arg("any_sharp"),
          py::arg("max_sigma"), py::arg("size"), py::arg("stream"));
}

}  // namespace seco::bindings
