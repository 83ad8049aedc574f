#include <pybind11/pybind11.h>

#include "bindings/bindings.hpp"

namespace seco::bindings {

void bind_random(pybind11::module_&) {}

}  // namespace seco::bindings
