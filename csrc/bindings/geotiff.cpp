#include <pybind11/pybind11.h>

#include "bindings/bindings.hpp"

namespace seco::bindings {

void bind_geotiff(pybind11::module_&) {}

}  // namespace seco::bindings
