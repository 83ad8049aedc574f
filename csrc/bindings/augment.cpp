#include "cpu/augment.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "bindings/bindings.hpp"
#include "common/error.hpp"

namespace py = pybind11;

namespace seco::bindings {
namespace {

using Floats = py::array_t<float, py::array::c_style>;
using Params = py::array_t<ViewParams, py::array::c_style>;

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
    batch.view_type = dtype == "float32"   ? ViewType::kFloat32
                      : dtype == "float16" ? ViewType::kFloat16
                                           : ViewType::kBfloat16;
    batch.channels_last = channels_last;
    py::gil_scoped_release release;
    cpu::augment_views(batch, threads);
}

}  // namespace

void bind_augment(py::module_& m) {
    PYBIND11_NUMPY_DTYPE(ViewParams, date, crop_top, crop_left, crop_height, crop_width, flip, order,
                         brightness, contrast, saturation, hue, grey, blur_sigma);
    m.attr("view_dtype") = py::dtype::of<ViewParams>();
    m.def("augment_views", &augment_views, py::arg("pixels").noconvert(), py::arg("params").noconvert(),
          py::arg("scale").noconvert(), py::arg("offset").noconvert(), py::arg("mean").noconvert(),
          py::arg("inverse_std").noconvert(), py::arg("rgb"), py::arg("out").noconvert(), py::arg("dtype"),
          py::arg("channels_last"), py::arg("size"), py::arg("threads"));
}

}  // namespace seco::bindings
