// All views of a batch: what both halves take.
#pragma once

#include <cstdint>

#include "common/host_device.hpp"
#include "common/view_params.hpp"

namespace seco {

enum class PixelType { kUint8, kUint16 };
enum class ViewType { kFloat32, kFloat16, kBfloat16 };

struct AugmentBatch {
    const void* pixels;  // [locations, dates, bands, height, width]
    PixelType pixel_type;
    const ViewParams* params;  // [locations, views]
    int64_t locations, dates, views;
    int bands, height, width;
    int size;                                          // height and width of a view
    const float *scale, *offset, *mean, *inverse_std;  // [bands]
    bool rgb;                                          // bands are red, green, blue
    void* out;                                         // [views, locations, bands, size, size], or bands last
    ViewType view_type;
    bool channels_last;
    bool locations_first = false;  // out is [locations, views, ...]

    // Number of a view in the output.
    SECO_HOST_DEVICE int64_t place(int64_t location, int64_t view) const {
        return locations_first ? location * views + view : view * locations + location;
    }
};

}  // namespace seco
