// Errors that only native code can see. The bindings turn each class into the Python class of the same name.
#pragma once

#include <stdexcept>
#include <string>

namespace seco {

// A caller's array or argument is not what the operation takes.
struct ArrayError : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

// A GeoTIFF is truncated, corrupt or lies about itself.
struct GeoTiffError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A CUDA call failed, or CUDA was asked for and is not there.
struct DeviceError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace seco
