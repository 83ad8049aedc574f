// The type that samples of an image are moved and added up as, by their size.
#pragma once

#include <cstdint>

namespace seco {

// Calls `work` with a sample of 1, 2 or 4 bytes: sums wrap alike with and without a sign, and floats are
// moved only.
template <typename Work>
auto with_sample_type(int bytes, Work&& work) {
    switch (bytes) {
        case 1:
            return work(uint8_t{});
        case 2:
            return work(uint16_t{});
        default:
            return work(uint32_t{});
    }
}

}  // namespace seco
