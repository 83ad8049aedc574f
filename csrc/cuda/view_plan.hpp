// How a launch cuts views into tiles, and what a block keeps in shared memory. Decided on the host, the same
// for all views of a launch, from the largest of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "common/augment_batch.hpp"
#include "common/error.hpp"
#include "common/host_device.hpp"
#include "cuda/integers.hpp"

namespace seco::cuda {

constexpr int kMaxThreads = 160;   // of a block of three bands; small ones fill a multiprocessor better
constexpr int kManyThreads = 256;  // of a block of more or fewer, whose threads share out all work
constexpr int kGroup = 4;          // rows of a view that are filtered from top to bottom at once
constexpr int kStripRows = 56;     // rows of a view that a block makes
constexpr int kQuad = 4;           // columns that a thread blurs at once
constexpr int kAlignment = 16;     // of what is copied out of shared memory, and of four floats there

// What stays in registers where a view has no blur, and rows that are made between two barriers then.
constexpr int kSlideBands = 3, kSlideTaps = 3, kSlideRows = 8;

// Greatest number of samples that one output of a resize is made of: those under a triangle that is as wide
// as two samples, or two outputs.
inline int most_taps(int in_size, int out_size) {
    const float ratio = static_cast<float>(in_size) / static_cast<float>(out_size);
    return static_cast<int>(2.0f * std::max(1.0f, ratio)) + 1;
}

constexpr int kRowsFloats = 2, kRowTapsFloats = 4, kRowGroupFloats = 4;  // of the structures of TileTables

struct ViewPlan {
    int radius;  // of the blur; 0: the launch makes the views that are not blurred
    int strips, strip_rows, tiles, tile_columns;
    int stage_rows;  // rows of a view that are made between the same barriers: a group, or more
    int threads;
    bool slides;     // three bands of three rows, and no blur
    int ring;        // coloured rows that a block keeps
    int ring_pitch;  // floats of a column of the ring, all bands of a row together: odd, so that the threads
                     // of a warp meet different banks of shared memory
    int inner, reach;      // greatest width of a row that a tile reads, without the blur's halo and with it
    int down;              // most rows of a patch that a group is made of, the blur's halo included
    int tall, across;      // most taps of a row and of a column, without the blur's
    int unit;              // bytes that are copied at once
    int planes;            // of a view's rows, bands apart or all in one
    int run, row;          // units of a tile's row in one plane, and of a view's
    uint32_t run_inverse;  // see run_of
    int64_t shared_bytes;

    // Offsets in floats of what a block keeps.
    int ring_at, between_at, blurred_at, staged_at, blur_at, normal_blur_at, tall_at, rows_at, down_at,
        groups_at, across_at, columns_at, pole_at;

    // A block takes `shared_limit` bytes of shared memory at the most, or `shared_most` where the views do
    // not fit otherwise. Throws ArrayError where not even one column does, or 32 bits do not count what
    // there is.
    ViewPlan(const AugmentBatch& batch, int blur_radius, int64_t shared_limit, int64_t shared_most)
        : radius(blur_radius) {
        check_sizes(batch);
        strips = (batch.size + kStripRows - 1) / kStripRows;
        strip_rows = (batch.size + strips - 1) / strips;
        tall = most_taps(batch.height, batch.size);
        across = most_taps(batch.width, batch.size);
        slides = batch.bands == kSlideBands && radius == 0 && tall == kSlideTaps;
        stage_rows = slides ? kSlideRows : kGroup;
        const double ratio = static_cast<double>(batch.height) / batch.size;
        const int further = static_cast<int>((kGroup - 1) * ratio) + 1;  // the group's last row begins
        down = tall + 2 * radius + further;
        if (!cut(batch, further, shared_limit) && !cut(batch, further, shared_most))
            throw ArrayError(
                "size: expected views that need less of the GPU's shared memory, got patches of " +
                std::to_string(batch.width) + " px for views of " + std::to_string(batch.size) +
                "; make the patches smaller or the views larger");
        tiles = (batch.size + tile_columns - 1) / tile_columns;
        threads = batch.bands == kSlideBands
                      ? std::min(kMaxThreads, round_up(std::max(reach, 2 * kWarp), kWarp))
                      : kManyThreads;
        arrange_copies(batch);
    }

    // Blocks of a launch.
    int64_t blocks(const AugmentBatch& batch) const { return batch.locations * batch.views * strips * tiles; }

    // The run that holds a unit of shared memory: a division in three instructions, exact as long as unit *
    // run is below 2^31, which shared memory sees to.
    SECO_HOST_DEVICE int run_of(int unit) const {
        return static_cast<int>(uint64_t{static_cast<uint32_t>(unit)} * run_inverse >> 31);
    }

    static SECO_HOST_DEVICE int value_bytes(const AugmentBatch& batch) {
        return batch.view_type == ViewType::kFloat32 ? 4 : 2;
    }

  private:
    // Choose tiles and ring for so much shared memory; whether that can be.
    bool cut(const AugmentBatch& batch, int further, int64_t shared_limit) {
        // What the next group takes again; and a whole group where that is little.
        const int halo = std::max(2 * radius, further);
        ring = slides ? tall : std::min(tall + halo, batch.height + 2 * radius);
        tile_columns = batch.size;
        const bool owned = batch.bands == kSlideBands;  // a thread has a column
        while ((lay_out(batch) > shared_limit || (owned && reach > kMaxThreads)) && tile_columns > 1)
            tile_columns = (tile_columns + 1) / 2;
        // Rows that are not kept are made again for the next group.
        while (!slides && lay_out(batch) > shared_limit && ring > 1) --ring;
        return shared_bytes <= shared_limit;
    }

    int64_t lay_out(const AugmentBatch& batch) {
        const double ratio = static_cast<double>(batch.width) / batch.size;
        inner = round_up(static_cast<int>(ratio * tile_columns) + across + 1, kQuad);
        reach = round_up(inner + 2 * radius, kQuad);
        int64_t floats = 0;
        const auto take = [&floats](int64_t count) {
            const int64_t at = floats;
            floats += (count + 3) / 4 * 4;
            return static_cast<int>(at);
        };
        const int64_t bands = batch.bands;
        ring_pitch = ring * batch.bands | 1;
        ring_at = take(int64_t{ring_pitch} * reach);
        between_at = take(stage_rows * bands * reach);
        blurred_at = take(radius ? stage_rows * bands * inner : 0);
        staged_at = take((stage_rows * bands * tile_columns * value_bytes(batch) + 3) / 4);
        blur_at = take(2 * radius + 1);  // before normalisation
        normal_blur_at = take(2 * radius + 1);
        const int64_t groups = (strip_rows + kGroup - 1) / kGroup;
        tall_at = take(slides ? 0 : groups * kGroup * tall);
        rows_at = take((slides ? kRowTapsFloats : kRowsFloats) * groups * kGroup);
        down_at = take(slides ? 0 : groups * down * kGroup);
        groups_at = take(slides ? 0 : kRowGroupFloats * groups);
        across_at = take(int64_t{tile_columns} * across);
        columns_at = take(tile_columns);
        pole_at = take(1);
        return shared_bytes = 4 * floats;
    }

    static void check_sizes(const AugmentBatch& batch) {
        // Kernels count pixels of a patch and units of a view in 32 bits.
        const int64_t most =
            std::max(int64_t{batch.height} * batch.width,
                     int64_t{batch.bands} * batch.size * batch.size * value_bytes(batch) / 2);
        if (most > std::numeric_limits<int32_t>::max())
            throw ArrayError("pixels: expected patches and views of fewer than 2^31 values, got " +
                             std::to_string(most) + "; make them smaller");
    }

    // Rows of a tile begin at multiples of `unit`, in the view and in shared memory.
    void arrange_copies(const AugmentBatch& batch) {
        planes = batch.channels_last ? 1 : batch.bands;
        const int pixel = value_bytes(batch) * (batch.bands / planes);
        const auto fits = [&](int bytes) {
            return batch.size * pixel % bytes == 0 && tile_columns * pixel % bytes == 0;
        };
        unit = fits(kAlignment) ? kAlignment : (fits(4) ? 4 : 2);
        run = tile_columns * pixel / unit;
        row = batch.size * pixel / unit;
        run_inverse = (uint32_t{1} << 31) / static_cast<uint32_t>(run) + 1;
    }
};

}  // namespace seco::cuda
