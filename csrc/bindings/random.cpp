#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "bindings/bindings.hpp"
#include "common/error.hpp"
#include "common/philox.hpp"

namespace py = pybind11;

namespace seco::bindings {
namespace {

using Words = py::array_t<uint32_t, py::array::c_style | py::array::forcecast>;

Words philox_blocks(const Words& counters, uint64_t key) {
    if (counters.ndim() != 2 || counters.shape(1) != 4)
        throw ArrayError("counters: expected an array [N, 4], got another shape; give one block a row");
    Words out({counters.shape(0), counters.shape(1)});
    const uint32_t* in = counters.data();
    uint32_t* to = out.mutable_data();
    const py::ssize_t count = counters.shape(0);
    const WithoutGil released;
    for (py::ssize_t i = 0; i < count; ++i, in += 4, to += 4) {
        const PhiloxBlock block = philox({in[0], in[1], in[2], in[3]}, key);
        for (size_t k = 0; k < 4; ++k) to[k] = block[k];
    }
    return out;
}

}  // namespace

void bind_random(py::module_& m) { m.def("philox", &philox_blocks, py::arg("counters"), py::arg("key")); }

}  // namespace seco::bindings
