#include "cpu/undo_predictor.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/clones.hpp"

namespace seco::cpu {
namespace {

// Undoes TIFF's horizontal differencing (predictor 2): each sample of a row is the sum of itself and all
// before it, which wraps. Source: TIFF Revision 6.0, section 14.
#if defined(__GNUC__) && !defined(__clang__)
template <typename Unsigned>
struct Register {
    static constexpr int kLanes = 16 / sizeof(Unsigned);
    typedef Unsigned Type __attribute__((vector_size(16)));

    // Lane i of the result is lane i - kBy, or 0 before the first.
    template <int kBy>
    static inline __attribute__((always_inline)) Type shift(Type lanes) {
        Type from;
        for (int i = 0; i < kLanes; ++i) from[i] = static_cast<Unsigned>(i < kBy ? i : kLanes + i - kBy);
        return __builtin_shuffle(Type{}, lanes, from);
    }
};

// As many samples from the beginning of a row as whole registers take, which is returned: within a register
// by doubling strides, from register to register by the last lane.
template <typename Unsigned>
inline __attribute__((always_inline)) int64_t sum_registers(Unsigned* row, int64_t count) {
    using R = Register<Unsigned>;
    typename R::Type carry = {}, last;
    for (int i = 0; i < R::kLanes; ++i) last[i] = static_cast<Unsigned>(R::kLanes - 1);
    int64_t x = 0;
    for (; x + R::kLanes <= count; x += R::kLanes) {
        typename R::Type lanes;
        std::memcpy(&lanes, row + x, sizeof(lanes));
        lanes += R::template shift<1>(lanes);
        lanes += R::template shift<2>(lanes);
        if (R::kLanes > 4) lanes += R::template shift<(R::kLanes > 4 ? 4 : 1)>(lanes);
        if (R::kLanes > 8) lanes += R::template shift<(R::kLanes > 8 ? 8 : 1)>(lanes);
        lanes += carry;
        std::memcpy(row + x, &lanes, sizeof(lanes));
        carry = __builtin_shuffle(lanes, last);
    }
    return x;
}
#else
template <typename Unsigned>
inline int64_t sum_registers(Unsigned*, int64_t) {
    return 0;
}
#endif

template <typename Unsigned>
inline __attribute__((always_inline)) void sum_row(Unsigned* row, int64_t count) {
    for (int64_t x = std::max<int64_t>(sum_registers(row, count), 1); x < count; ++x)
        row[x] = static_cast<Unsigned>(row[x] + row[x - 1]);
}

}  // namespace

SECO_CLONES void undo_predictor(uint8_t* row, int sample_bytes, int64_t count) {
    switch (sample_bytes) {
        case 1:
            return sum_row(row, count);
        case 2:
            return sum_row(reinterpret_cast<uint16_t*>(row), count);
        default:
            return sum_row(reinterpret_cast<uint32_t*>(row), count);
    }
}

}  // namespace seco::cpu
