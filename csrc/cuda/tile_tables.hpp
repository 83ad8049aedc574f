// Where one tile of a view lies, and the weights that it is made with: tables in shared memory, which the
// threads of its block fill before they make it.
#pragma once

#include "common/augment_batch.hpp"
#include "common/host_device.hpp"
#include "cuda/integers.hpp"
#include "cuda/safe_view.hpp"
#include "cuda/view_plan.hpp"
#include "math/resample.hpp"

namespace seco::cuda {

// Four neighbours in a row, or a weight for each row of a group.
struct alignas(kAlignment) Quad {
    float of[kQuad];
};
static_assert(kGroup == kQuad);

// Rows of the crop that a row of the view is made of, without the blur.
struct Rows {
    int first, count;
};

// Rows of the patch that a group is made of, the blur's halo included; the first may lie above the patch.
struct alignas(kAlignment) RowGroup {
    int first, count;
    int slot;  // where the ring keeps the first: floats from the beginning of a column
    int kept;  // so many of them the group before has left in the ring
};

// Rows of the patch that a row of the view is made of, from `first` on, and their weights.
struct alignas(kAlignment) RowTaps {
    int first;
    float weights[kSlideTaps];
};

static_assert(sizeof(Rows) == kRowsFloats * sizeof(float) &&
              sizeof(RowTaps) == kRowTapsFloats * sizeof(float) &&
              sizeof(RowGroup) == kRowGroupFloats * sizeof(float));

// `kBlurs`: whether the launch makes the views that are blurred, or the others.
template <bool kBlurs>
class TileTables {
  public:
    SECO_HOST_DEVICE TileTables(const AugmentBatch& batch, const ViewPlan& plan, const ViewParams& view,
                                float* shared, uint32_t block)
        : batch_(batch),
          plan_(plan),
          view_(batch, view),
          shared_(shared),
          radius_(math::blur_radius(view_.sigma)) {
        const int strip = static_cast<int>(block / plan.tiles % plan.strips);
        tile_ = static_cast<int>(block % plan.tiles);
        top_ = strip * plan.strip_rows;
        bottom_ = least(batch.size, top_ + plan.strip_rows);
        left_ = tile_ * plan.tile_columns;
        columns_ = least(batch.size - left_, plan.tile_columns);
        // Every column has as many taps; those that it does without weigh 0, and may lie beyond the crop.
        first_ = math::resize_taps(left_, view_.width, batch.size).first;
        inner_ =
            math::resize_taps(left_ + columns_ - 1, view_.width, batch.size).first + plan.across - first_;
    }

    SECO_HOST_DEVICE bool is_made() const {
        return kBlurs ? radius_ > 0 && radius_ <= plan_.radius : radius_ == 0;
    }

    // Whether rows of the patch stay in registers: they have row_taps, others have groups.
    SECO_HOST_DEVICE bool slides() const { return !kBlurs && plan_.slides; }

    SECO_HOST_DEVICE int date() const { return view_.date; }
    // Of the view, what the tile covers.
    SECO_HOST_DEVICE int top() const { return top_; }
    SECO_HOST_DEVICE int bottom() const { return bottom_; }
    // Of those made between the same barriers that begin with row y.
    SECO_HOST_DEVICE int rows_from(int y) const { return least(plan_.stage_rows, bottom_ - y); }
    SECO_HOST_DEVICE int tile() const { return tile_; }
    SECO_HOST_DEVICE int columns() const { return columns_; }

    SECO_HOST_DEVICE int radius() const { return kBlurs ? radius_ : 0; }
    // Columns of the patch that the tile is made of, the blur's halo included. The first may lie beside the
    // patch. They are kept as they come in the view, but not those that are blurred, which is done in the
    // order of the patch: they are flipped after it.
    SECO_HOST_DEVICE int reach() const { return inner_ + 2 * radius(); }
    SECO_HOST_DEVICE int column(int j) const {
        const int left = view_.left + (view_.flip ? view_.width - first_ - inner_ : first_) - radius();
        return left + (view_.flip && !kBlurs ? reach() - 1 - j : j);
    }
    SECO_HOST_DEVICE bool flips_blurred() const { return view_.flip && kBlurs; }
    // Columns that are blurred: whole quads, of which the last may go beyond the tile.
    SECO_HOST_DEVICE int blurred_columns() const { return round_up(inner_, kQuad); }

    // Weights of the blur before normalisation, of rows and of columns.
    SECO_HOST_DEVICE void tabulate(int thread) const {
        if (kBlurs)
            for (int k = thread; k < 2 * radius_ + 1; k += plan_.threads)
                blur()[k] = math::blur_weight(k - radius_, view_.sigma);
        for (int x = thread; x < columns_; x += plan_.threads) tabulate_column(x);
        for (int row = thread; row < bottom_ - top_; row += plan_.threads)
            slides() ? tabulate_row_taps(row) : tabulate_row(row);
    }

    SECO_HOST_DEVICE void normalise_blur(int thread) const {
        float sum = 0.0f;
        for (int k = 0; k < 2 * radius_ + 1; ++k) sum += blur()[k];
        for (int k = thread; k < 2 * radius_ + 1; k += plan_.threads) normal_blur()[k] = blur()[k] / sum;
    }

    // Weights of the patch's rows in each group: resize and blur in one, 0 where a row has no part.
    SECO_HOST_DEVICE void tabulate_groups(int thread) const {
        const int wide = plan_.down, groups = (bottom_ - top_ + kGroup - 1) / kGroup;
        for (int i = thread; i < groups * wide; i += plan_.threads) {
            const int group = i / wide, m = i % wide, row = group * kGroup;
            const int source = rows()[row].first + m;
            Quad weights;
            for (int g = 0; g < kGroup; ++g)
                weights.of[g] = top_ + row + g < bottom_ ? row_weight(row + g, source) : 0.0f;
            quads()[i] = weights;
            if (m == 0) groups_of()[group] = find_rows(group);
        }
    }

    SECO_HOST_DEVICE const RowTaps& row_taps(int row) const { return taps_of_rows()[row]; }
    SECO_HOST_DEVICE const RowGroup& group(int number) const { return groups_of()[number]; }
    // Of a group's rows, one for each row of the patch.
    SECO_HOST_DEVICE const Quad* weights_down(int group) const { return quads() + group * plan_.down; }
    SECO_HOST_DEVICE const float* blur_weights() const { return normal_blur(); }
    // Taps of a column of the tile: the first, among the columns of a row that is resized, and their weights,
    // which are `tile_columns` apart.
    SECO_HOST_DEVICE int first_tap(int x) const { return starts()[x]; }
    SECO_HOST_DEVICE const float* weights_across(int x) const { return shared_ + plan_.across_at + x; }

  private:
    SECO_HOST_DEVICE float* blur() const { return shared_ + plan_.blur_at; }
    SECO_HOST_DEVICE float* tall(int row) const { return shared_ + plan_.tall_at + row * plan_.tall; }
    SECO_HOST_DEVICE float* normal_blur() const { return shared_ + plan_.normal_blur_at; }
    SECO_HOST_DEVICE Rows* rows() const { return reinterpret_cast<Rows*>(shared_ + plan_.rows_at); }
    SECO_HOST_DEVICE RowTaps* taps_of_rows() const {
        return reinterpret_cast<RowTaps*>(shared_ + plan_.rows_at);
    }
    SECO_HOST_DEVICE int* starts() const { return reinterpret_cast<int*>(shared_ + plan_.columns_at); }
    SECO_HOST_DEVICE Quad* quads() const { return reinterpret_cast<Quad*>(shared_ + plan_.down_at); }
    SECO_HOST_DEVICE RowGroup* groups_of() const {
        return reinterpret_cast<RowGroup*>(shared_ + plan_.groups_at);
    }

    // Hands `count` weights of one output of a resize to `write`, 0 behind the last tap.
    template <typename Write>
    SECO_HOST_DEVICE math::Taps weigh(int index, int in_size, int count, const Write& write) const {
        const math::Taps taps = math::resize_taps(index, in_size, batch_.size);
        const auto weight = [&](int k) {
            return math::resize_weight(taps.first + k, taps.centre, in_size, batch_.size);
        };
        float sum = 0.0f;
        for (int k = 0; k < taps.count; ++k) sum += weight(k);
        for (int k = 0; k < count; ++k) write(k, k < taps.count ? weight(k) / sum : 0.0f);
        return taps;
    }

    SECO_HOST_DEVICE void tabulate_column(int x) const {
        float* weights = shared_ + plan_.across_at + x;
        const math::Taps taps = weigh(left_ + x, view_.width, plan_.across,
                                      [&](int k, float weight) { weights[k * plan_.tile_columns] = weight; });
        starts()[x] = taps.first - first_ + (flips_blurred() ? blurred_columns() - inner_ : 0);
    }

    SECO_HOST_DEVICE void tabulate_row(int row) const {
        const math::Taps taps =
            weigh(top_ + row, view_.height, plan_.tall, [&](int k, float weight) { tall(row)[k] = weight; });
        rows()[row] = {taps.first, taps.count};
    }

    SECO_HOST_DEVICE void tabulate_row_taps(int row) const {
        RowTaps& out = taps_of_rows()[row];
        const math::Taps taps = weigh(top_ + row, view_.height, kSlideTaps,
                                      [&](int k, float weight) { out.weights[k] = weight; });
        out.first = view_.top + taps.first;
    }

    // What row `source` of the crop, counted from the blur's radius above it, weighs in a row of the strip.
    SECO_HOST_DEVICE float row_weight(int row, int source) const {
        const int m = source - rows()[row].first, count = rows()[row].count;
        if (!kBlurs) return m >= 0 && m < count ? tall(row)[m] : 0.0f;
        float both = 0.0f;
        for (int k = 0; k < count; ++k)
            if (m >= k && m - k < 2 * radius_ + 1) both += tall(row)[k] * normal_blur()[m - k];
        return both;
    }

    SECO_HOST_DEVICE RowGroup find_rows(int group) const {
        const int row = group * kGroup, last = least(row + kGroup, bottom_ - top_) - 1;
        const int first = view_.top + rows()[row].first - radius();
        int kept = group ? end_of(row - 1) - first : 0;
        if (kept < 0 || kept > plan_.ring) kept = 0;  // rows were skipped, or it does not hold all
        const int slot = (first + plan_.ring * math::kBlurRadius) % plan_.ring;
        return {first, end_of(last) - first, slot * batch_.bands, kept};
    }

    // Row of the patch behind those that a row of the strip is made of.
    SECO_HOST_DEVICE int end_of(int row) const {
        return view_.top + rows()[row].first + rows()[row].count + radius();
    }

    const AugmentBatch& batch_;
    const ViewPlan& plan_;
    SafeView view_;
    float* shared_;
    int radius_;
    int top_, bottom_, tile_, left_, columns_;
    int first_, inner_;  // columns of the crop, as they come in the view
};

}  // namespace seco::cuda
