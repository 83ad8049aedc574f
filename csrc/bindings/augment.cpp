#include <pybind11/pybind11.h>

#include "bindings/bindings.hpp"

namespace seco::bindings {

void bind_augment(pybind11::module_&) {}

}  // namespace seco::bindings
