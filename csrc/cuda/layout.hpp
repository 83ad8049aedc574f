// Hands out parts of one buffer, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>

namespace seco::cuda {

constexpr uint64_t kPartAlignment = 16;  // nvCOMP asks for 8 at most

inline uint64_t aligned(uint64_t bytes) {
    return (bytes + kPartAlignment - 1) / kPartAlignment * kPartAlignment;
}

class Layout {
  public:
    explicit Layout(uint8_t* base) : base_(base) {}

    template <typename Value>
    Value* take(size_t count) {
        // An address as a number: the base may be null where only the size is asked for.
        const auto at = reinterpret_cast<uintptr_t>(base_) + used_;
        used_ += aligned(count * sizeof(Value));
        return reinterpret_cast<Value*>(at);
    }

    size_t used() const { return used_; }

  private:
    uint8_t* base_;
    size_t used_ = 0;
};

}  // namespace seco::cuda
