// The first half of making a tile: from the pixels of a patch to rows of the view that are not yet blurred or
// resized from left to right.
#pragma once

#include "cuda/patch_reader.hpp"
#include "cuda/tile_tables.hpp"
#include "cuda/view_plan.hpp"
#include "math/colour_chain.hpp"
#include "math/resample.hpp"

namespace seco::cuda {

template <int kBands, typename Pixel, bool kBlurs>
class ColumnFilter {
  public:
    static constexpr int kWide = kBands ? kBands : 1;  // bands that are filtered at once

    SECO_HOST_DEVICE ColumnFilter(const AugmentBatch& batch, const ViewPlan& plan, const ViewParams& view,
                                  int64_t location, float* shared, uint32_t block)
        : batch_(batch),
          plan_(plan),
          shared_(shared),
          tables_(batch, plan, view, shared, block),
          chain_(view, batch.bands, batch.rgb),
          patch_(batch, location, tables_.date()) {}

    SECO_HOST_DEVICE const TileTables<kBlurs>& tables() const { return tables_; }

    // Column j of the rows from y on that are made between the same barriers.
    SECO_HOST_DEVICE void filter(int j, int y) const {
        constexpr bool kFits = kBands == kSlideBands;
        if (kFits && tables_.slides())
            slide_column(j, y);
        else
            filter_column(j, y);
    }

    // Of other than three bands a column may be too much for a thread: the threads of a block share out
    // pixels to colour and then, after a barrier, sums of a band. Both are of so many rows from `from` on,
    // counted from the group's first, as the ring holds, in most cases all.
    SECO_HOST_DEVICE int rows_of_patch(int y) const { return tables_.group(number_of(y)).count; }

    SECO_HOST_DEVICE void colour_rows(int thread, int y, int from) const {
        const RowGroup group = tables_.group(number_of(y));
        const int begin = from ? from : group.kept, end = least(group.count, from + plan_.ring);
        const float pole = shared_[plan_.pole_at];
        share(thread, end - begin, [&](int i, int j) {
            const int row = begin + i, slot = group.slot + (row - from) * patch_.bands();
            float* to = ring_column(j) + (slot < ring_floats() ? slot : slot - ring_floats());
            patch_.read(address(group.first + row, math::reflect(tables_.column(j), batch_.width)), to);
            chain_.apply(to, patch_.bands(), chain_.steps, pole);
        });
    }

    SECO_HOST_DEVICE void filter_rows(int thread, int y, int from) const {
        const int number = number_of(y);
        const RowGroup group = tables_.group(number);
        const int count = least(group.count - from, plan_.ring);
        share(thread, patch_.bands(), [&](int c, int j) {
            Sums sums = from ? sums_of(j, c) : Sums{};
            add_rows(ring_column(j) + c, group.slot, count, tables_.weights_down(number) + from, sums);
            keep(sums, j, c);
        });
    }

  private:
    SECO_HOST_DEVICE int number_of(int y) const { return (y - tables_.top()) / kGroup; }

    // Calls `work` with i < count and with every column, once in one thread: neighbours have neighbours.
    template <typename Work>
    SECO_HOST_DEVICE void share(int thread, int count, const Work& work) const {
        const int reach = tables_.reach();
        for (int i = thread / reach, j = thread % reach; i < count;) {
            work(i, j);
            for (j += plan_.threads; j >= reach; j -= reach) ++i;
        }
    }

    // A row of the view is made of three of the patch, which stay in registers; the ring keeps them from one
    // barrier to the next.
    SECO_HOST_DEVICE void slide_column(int j, int y) const {
        const int column = math::reflect(tables_.column(j), batch_.width), row = y - tables_.top();
        const float pole = shared_[plan_.pole_at];
        float* ring = ring_column(j);
        float window[kSlideTaps][kWide];
        for (int k = 0; k < kSlideTaps; ++k)
            for (int c = 0; c < kWide; ++c) window[k][c] = row ? ring[k * kWide + c] : 0.0f;
        int next = row ? tables_.row_taps(row - 1).first + kSlideTaps : tables_.row_taps(0).first;
        auto ahead = fetch(next, column);
        for (int i = 0; i < tables_.rows_from(y); ++i) {
            const RowTaps taps = tables_.row_taps(row + i);
            while (next < taps.first + kSlideTaps) {
                for (int c = 0; c < kWide; ++c) {
                    window[0][c] = window[1][c];
                    window[1][c] = window[2][c];
                }
                colour(ahead, pole, window[2]);
                ahead = fetch(++next, column);
            }
            for (int c = 0; c < kWide; ++c)
                between(j, c, i) = window[0][c] * taps.weights[0] + window[1][c] * taps.weights[1] +
                                   window[2][c] * taps.weights[2];
        }
        for (int k = 0; k < kSlideTaps; ++k)
            for (int c = 0; c < kWide; ++c) ring[k * kWide + c] = window[k][c];
    }

    // Sums of a group's rows, for kWide bands.
    struct Sums {
        float of[kGroup][kWide];
    };

    // The ring keeps what a group is made of. A row of it is read once for all rows of the group.
    SECO_HOST_DEVICE void filter_column(int j, int y) const {
        const int column = math::reflect(tables_.column(j), batch_.width);
        const float pole = shared_[plan_.pole_at];
        const int number = number_of(y);
        const RowGroup group = tables_.group(number);
        const Quad* weights = tables_.weights_down(number);
        float* ring = ring_column(j);
        int next = group.kept, slot = group.slot + next * patch_.bands();
        if (slot >= ring_floats()) slot -= ring_floats();
        auto ahead = fetch(group.first + next, column);
        Sums sums = {};
        // So many rows as the ring holds, in most cases all.
        for (int from = 0; from < group.count; from += plan_.ring) {
            const int to = least(group.count, from + plan_.ring);
            while (next < to) {
                float x[kWide];
                colour(ahead, pole, x);
                for (int c = 0; c < kWide; ++c) ring[slot + c] = x[c];
                slot = after(slot);
                ahead = fetch(group.first + ++next, column);
            }
            add_rows(ring, group.slot, to - from, weights + from, sums);
        }
        keep(sums, j, 0);
    }

    // Adds `count` rows of a column of the ring: those from `slot` on, then those from its beginning.
    SECO_HOST_DEVICE void add_rows(const float* ring, int slot, int count, const Quad* weights,
                                   Sums& sums) const {
        const float* row = ring + slot;
        int end = least(count, (ring_floats() - slot) / patch_.bands());
        for (int m = 0; m < count; end = count, row = ring) {
            for (; m < end; ++m, row += patch_.bands()) {
                const Quad weight = weights[m];
                for (int i = 0; i < kWide; ++i)
                    for (int g = 0; g < kGroup; ++g) sums.of[g][i] += row[i] * weight.of[g];
            }
        }
    }

    SECO_HOST_DEVICE float& between(int j, int c, int row) const {
        return shared_[plan_.between_at + (row * patch_.bands() + c) * plan_.reach + j];
    }
    SECO_HOST_DEVICE Sums sums_of(int j, int c) const {
        Sums sums;
        for (int g = 0; g < kGroup; ++g)
            for (int i = 0; i < kWide; ++i) sums.of[g][i] = between(j, c + i, g);
        return sums;
    }
    SECO_HOST_DEVICE void keep(const Sums& sums, int j, int c) const {
        for (int g = 0; g < kGroup; ++g)
            for (int i = 0; i < kWide; ++i) between(j, c + i, g) = sums.of[g][i];
    }

    SECO_HOST_DEVICE float* ring_column(int j) const {
        return shared_ + plan_.ring_at + j * plan_.ring_pitch;
    }
    SECO_HOST_DEVICE int ring_floats() const { return plan_.ring * patch_.bands(); }
    SECO_HOST_DEVICE int after(int slot) const {
        const int next = slot + patch_.bands();
        return next == ring_floats() ? 0 : next;
    }

    SECO_HOST_DEVICE int address(int row, int column) const {
        // Without a blur only rows that weigh nothing lie outside, and they lie below.
        const int inside = kBlurs ? math::reflect(row, batch_.height) : least(row, batch_.height - 1);
        return inside * batch_.width + column;
    }

    SECO_HOST_DEVICE auto fetch(int row, int column) const { return patch_.fetch(address(row, column)); }

    SECO_HOST_DEVICE void colour(const typename PatchReader<kBands, Pixel>::Raw& raw, float pole,
                                 float (&x)[kWide]) const {
        patch_.to_units(raw, x);
        chain_.apply(x, kBands, chain_.steps, pole);
    }

    const AugmentBatch& batch_;
    const ViewPlan& plan_;
    float* shared_;
    TileTables<kBlurs> tables_;  // its own: a reference into the tile would put all of it into local memory
    math::ColourChain chain_;
    PatchReader<kBands, Pixel> patch_;
};

}  // namespace seco::cuda
