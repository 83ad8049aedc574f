// The CPU's only loop over independent items: a pool of threads that lives as long as the process.
#pragma once

#include <cstdint>
#include <functional>

namespace seco::cpu {

// Calls body(i) once for every i in [0, count), on at most `threads` threads including the caller's.
// Items are handed out one by one, so uneven ones balance. The exception of the lowest item that threw is
// rethrown.
void parallel_for(int64_t count, int threads, const std::function<void(int64_t)>& body);

}  // namespace seco::cpu
