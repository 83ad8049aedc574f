// The kernel that puts rows in place, on the CPU: a warp is a loop over its lanes.
#pragma once

#include "common/sample_type.hpp"
#include "cuda/unpack.hpp"

namespace seco::cuda {

struct HostWarp {
    template <typename Value>
    struct Lanes {
        Value values[kWarp];
        Value& operator[](int lane) { return values[lane]; }
    };

    template <typename Body>
    void each(const Body& body) const {
        for (int lane = 0; lane < kWarp; ++lane) body(lane);
    }

    template <typename Value>
    Value add_up(Lanes<Value>& values, Value before) const {
        for (Value& value : values.values) value = before = static_cast<Value>(before + value);
        return before;
    }
};

template <typename Value>
void unpack_all(const Staging& staging, const Tables& tables, const geotiff::Shape& shape) {
    for (size_t chunk = 0; chunk < staging.chunks.size(); ++chunk)
        for (int warp = 0; warp < kUnpackThreads / kWarp; ++warp)
            unpack<Value>(tables.slabs[chunk], tables.bands, shape.height * shape.width, shape.width, warp,
                          HostWarp{});
}

inline void unpack_all(const Staging& staging, const Tables& tables, const geotiff::Image& image) {
    with_sample_type(image.sample_bytes,
                     [&](auto sample) { unpack_all<decltype(sample)>(staging, tables, image.shape); });
}

}  // namespace seco::cuda
