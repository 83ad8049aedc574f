// How a launch cuts views into tiles, and what a block keeps in shared memory. Decided on the host, the same
// for all views of a launch, from the largest of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/augment_batch.hpp"
#include "common/error.hpp"
#include "common/host_device.hpp"

namespace seco::cuda {

constexpr int kMaxThreads = 160;  // of a block; small ones fill a multiprocessor better
constexpr int kGroup = 4;         // rows of a view that are made at once, between the same barriers
constexpr int kStripRows = 56;    // rows of a view that a block makes
constexpr int kAlignment = 16;    // of what is copied out of shared memory

SECO_HOST_DEVICE inline int round_up(int value, int step) { return (value + step - 1) / step * step; }

// Greatest number of samples that one output of a resize is made of: those under a triangle that is as wide
// as two samples, or two outputs.
inline int most_taps(int in_size, int out_size) {
    const float ratio = static_cast<float>(in_size) / static_cast<float>(out_size);
    return static_cast<int>(2.0f * std::max(1.0f, ratio)) + 1;
}

struct ViewPlan {
    int radius;  // of the blur; 0: the launch makes the views that are not blurred
    int strips, strip_rows, tiles, tile_columns;
    int threads;
    int ring;          // coloured rows that a block keeps
    int reach;         // greatest width of a row that a tile reads, the blur's halo included
    int down;          // most rows of a patch that a group is made of, the blur's halo included
    int tall, across;  // most taps of a row and of a column, without the blur's
    int unit;          // bytes that are copied at once
    int64_t shared_bytes;

    // Offsets in floats of what a block keeps.
    int ring_at, between_at, blurred_at, staged_at, blur_at, tall_at, rows_at, down_at, groups_at, across_at,
        columns_at, pole_at;

    // Throws ArrayError where not even one column fits.
    ViewPlan(const AugmentBatch& batch, int blur_radius, int64_t shared_limit) : radius(blur_radius) {
        strips = (batch.size + kStripRows - 1) / kStripRows;
        strip_rows = (batch.size + strips - 1) / strips;
        tall = most_taps(batch.height, batch.size);
        across = most_taps(batch.width, batch.size);
        const double ratio = static_cast<double>(batch.height) / batch.size;
        const int further = static_cast<int>((kGroup - 1) * ratio) + 1;  // the group's last row begins
        down = tall + 2 * radius + further;
        // What the next group takes again; and a whole group where that is little.
        const int halo = std::max(2 * radius, batch.bands > 3 ? 0 : further);
        ring = std::min(tall + halo, batch.height + 2 * radius);
        tile_columns = batch.size;
        while ((lay_out(batch) > shared_limit || reach > kMaxThreads) && tile_columns > 1)
            tile_columns = (tile_columns + 1) / 2;
        // Rows that are not kept are made again for the next group.
        while (lay_out(batch) > shared_limit && ring > 1) --ring;
        if (shared_bytes > shared_limit)
            throw ArrayError(
                "size: expected views that need less of the GPU's shared memory, got patches of " +
                std::to_string(batch.width) + " px for views of " + std::to_string(batch.size) +
                "; make the patches smaller or the views larger");
        tiles = (batch.size + tile_columns - 1) / tile_columns;
        threads = std::min(kMaxThreads, round_up(std::max(reach, 64), 32));
        unit = copy_unit(batch);
    }

    // Blocks of a launch.
    int64_t blocks(const AugmentBatch& batch) const { return batch.locations * batch.views * strips * tiles; }

    static SECO_HOST_DEVICE int value_bytes(const AugmentBatch& batch) {
        return batch.view_type == ViewType::kFloat32 ? 4 : 2;
    }

  private:
    int64_t lay_out(const AugmentBatch& batch) {
        const double ratio = static_cast<double>(batch.width) / batch.size;
        const int inner = std::min(batch.width, static_cast<int>(ratio * tile_columns) + across + 1);
        reach = inner + 2 * radius;
        int64_t floats = 0;
        const auto take = [&floats](int64_t count) {
            const int64_t at = floats;
            floats += (count + 3) / 4 * 4;
            return static_cast<int>(at);
        };
        const int64_t bands = batch.bands;
        ring_at = take(ring * bands * reach);
        between_at = take(kGroup * bands * reach);
        blurred_at = take(radius ? kGroup * bands * inner : 0);
        staged_at = take((kGroup * bands * tile_columns * value_bytes(batch) + 3) / 4);
        blur_at = take(2 * (2 * radius + 1));  // before normalisation, and after
        const int64_t groups = (strip_rows + kGroup - 1) / kGroup;
        tall_at = take(groups * kGroup * tall);
        rows_at = take(2 * groups * kGroup);  // of each row of the strip: first and count, as integers
        down_at = take(groups * down * kGroup);
        groups_at = take(2 * groups);  // likewise, of each group
        across_at = take(int64_t{tile_columns} * across);
        columns_at = take(2 * tile_columns);  // likewise
        pole_at = take(1);
        return shared_bytes = 4 * floats;
    }

    // Rows of a tile begin at multiples of this many bytes, in the view and in shared memory.
    int copy_unit(const AugmentBatch& batch) const {
        const int pixel = value_bytes(batch) * (batch.channels_last ? batch.bands : 1);
        for (const int bytes : {kAlignment, 4})
            if (batch.size * pixel % bytes == 0 && tile_columns * pixel % bytes == 0) return bytes;
        return 2;
    }
};

}  // namespace seco::cuda
