#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "common/error.hpp"
#include "common/stages.hpp"
#include "cpu/decode_geotiff.hpp"
#include "cpu/parallel_for.hpp"
#include "geotiff/bound.hpp"

namespace py = pybind11;

namespace seco::bindings {
namespace {

// A source as Python gave it: bytes, or what a file is called in messages, its path, offset and length (-1:
// all of it). Holds no reference: the caller's list outlives the call.
struct Input {
    std::string name, path;
    const uint8_t* bytes = nullptr;
    int64_t offset = 0, size = 0;

    std::unique_ptr<geotiff::Source> open() const {
        const auto length = static_cast<uint64_t>(size);
        if (bytes) return std::make_unique<geotiff::Source>(bytes, length);
        return size < 0 ? std::make_unique<geotiff::Source>(path)
                        : std::make_unique<geotiff::Source>(path, static_cast<uint64_t>(offset), length);
    }
};

Input to_input(const py::handle& source, size_t index) {
    Input input;
    if (PyBytes_Check(source.ptr())) {
        input.name = "<bytes " + std::to_string(index) + ">";
        input.bytes = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(source.ptr()));
        input.size = static_cast<int64_t>(PyBytes_GET_SIZE(source.ptr()));
    } else {
        std::tie(input.name, input.path, input.offset, input.size) =
            source.cast<std::tuple<std::string, std::string, int64_t, int64_t>>();
    }
    return input;
}

// Runs `work` and puts the file's name before what it says of it.
template <typename Work>
auto naming(const Input& input, const Work& work) {
    try {
        return work();
    } catch (const GeoTiffError& error) {
        throw GeoTiffError(input.name + ": expected a readable GeoTIFF, got one that " + error.what());
    }
}

py::dict read_info(const py::object& source) {
    const Input input = to_input(source, 0);
    const geotiff::Image image = naming(input, [&] { return geotiff::parse(*input.open()); });
    py::dict info;
    info["bands"] = image.shape.bands;
    info["height"] = image.shape.height;
    info["width"] = image.shape.width;
    info["dtype"] = image.shape.dtype;
    info["foreign"] = image.foreign;
    return info;
}

std::pair<std::unique_ptr<geotiff::Source>, geotiff::Image> open_and_parse(const Input& input) {
    const StageTimer timer(Stage::kRead);
    auto source = input.open();
    geotiff::Image image = geotiff::parse(*source);
    return {std::move(source), std::move(image)};
}

// What became of the sources that were not decoded: (index, why), in order.
using Reasons = std::vector<std::pair<int64_t, std::string>>;

Reasons not_empty(const std::vector<std::string>& reasons) {
    Reasons out;
    for (size_t i = 0; i < reasons.size(); ++i)
        if (!reasons[i].empty()) out.emplace_back(static_cast<int64_t>(i), reasons[i]);
    return out;
}

// Decodes every readable source of the fast profile into its slice of `out` [N, bands, H, W]; returns those
// that are not of the profile, and those that are damaged or not of `total_bands` bands, H, W and the type of
// `out`.
std::pair<Reasons, Reasons> decode_geotiff(const py::list& sources, const std::vector<int64_t>& bands,
                                           int64_t total_bands, py::array& out, int threads) {
    std::vector<Input> inputs;
    for (const auto& source : sources) inputs.push_back(to_input(source, inputs.size()));
    geotiff::Shape expected;
    expected.bands = total_bands;
    expected.height = out.shape(2);
    expected.width = out.shape(3);
    expected.dtype = py::str(out.dtype().attr("name"));
    auto* data = static_cast<uint8_t*>(out.mutable_data());
    const int64_t stride = out.shape(1) * out.shape(2) * out.shape(3) * out.itemsize();
    std::vector<std::string> foreign(inputs.size()), damaged(inputs.size());
    {
        const WithoutGil released;
        cpu::parallel_for(static_cast<int64_t>(inputs.size()), threads, [&](int64_t i) {
            const Input& input = inputs[static_cast<size_t>(i)];
            try {
                naming(input, [&] {
                    const auto [source, image] = open_and_parse(input);
                    foreign[static_cast<size_t>(i)] = image.foreign;
                    if (!image.foreign.empty()) return;
                    if (!(image.shape == expected))
                        throw GeoTiffError("has " + image.shape.text() + ", not " + expected.text());
                    cpu::decode_geotiff(*source, image, bands, data + i * stride);
                });
            } catch (const GeoTiffError& error) {
                damaged[static_cast<size_t>(i)] = error.what();
            }
        });
    }
    return {not_empty(foreign), not_empty(damaged)};
}

}  // namespace

void bind_geotiff(py::module_& m) {
    m.attr("geotiff_max_bytes") = geotiff::kMaxImageBytes;
    m.def("geotiff_info", &read_info, py::arg("source"));
    m.def("decode_geotiff", &decode_geotiff, py::arg("sources"), py::arg("bands"), py::arg("total_bands"),
          py::arg("out").noconvert(), py::arg("threads"));
}

}  // namespace seco::bindings
