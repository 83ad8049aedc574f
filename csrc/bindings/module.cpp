#include <pybind11/pybind11.h>

#include "bindings/bindings.hpp"
#include "common/error.hpp"

namespace py = pybind11;

namespace {

// The Python classes live in seco/errors.py, so that users catch the same ones whoever raises.
void register_errors() {
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        const auto raise = [](const char* name, const std::exception& error) {
            py::set_error(py::module_::import("seco.errors").attr(name), error.what());
        };
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const seco::ArrayError& error) {
            raise("ArrayError", error);
        } catch (const seco::GeoTiffError& error) {
            raise("GeoTiffError", error);
        } catch (const seco::DeviceError& error) {
            raise("DeviceError", error);
        }
    });
}

}  // namespace

PYBIND11_MODULE(_core, m) {
    m.doc() = "Native half of seco. Not public: call seco.ops.";
    register_errors();
    seco::bindings::bind_build_info(m);
    seco::bindings::bind_random(m);
    seco::bindings::bind_augment(m);
    seco::bindings::bind_geotiff(m);
}
