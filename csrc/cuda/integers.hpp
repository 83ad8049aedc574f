// Arithmetic of sizes.
#pragma once

#include "common/host_device.hpp"

namespace seco::cuda {

constexpr int kWarp = 32;  // threads that a GPU runs in step

SECO_HOST_DEVICE inline int least(int a, int b) { return a < b ? a : b; }
SECO_HOST_DEVICE inline int round_up(int value, int step) { return (value + step - 1) / step * step; }

}  // namespace seco::cuda
