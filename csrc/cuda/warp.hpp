// Threads that a GPU runs in step.
#pragma once

namespace seco::cuda {

constexpr int kWarp = 32;

}  // namespace seco::cuda
