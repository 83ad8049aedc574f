// One function a file: each adds its operation to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace seco::bindings {

void bind_build_info(pybind11::module_& m);
void bind_random(pybind11::module_& m);
void bind_augment(pybind11::module_& m);
void bind_geotiff(pybind11::module_& m);

}  // namespace seco::bindings
