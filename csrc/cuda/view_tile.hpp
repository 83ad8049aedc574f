// What the threads of one block do to make one tile of one view, in phases with a barrier after each. The
// kernel runs these functions; so does the emulation on the CPU, thread by thread.
//
// Each thread owns columns of the patch: it walks down the rows, keeps the last of them, coloured, in a ring
// in shared memory, and filters them from top to bottom, for a group of rows of the view at once. Then rows
// are blurred and resized from left to right and copied out. Operations come in the order of
// csrc/cpu/augment.cpp, so that both give the same bits.
#pragma once

#include "cuda/patch_reader.hpp"
#include "cuda/view_plan.hpp"
#include "math/colour_chain.hpp"
#include "math/resample.hpp"

namespace seco::cuda {

// `Rounding` turns float into the bits of 16-bit floats.
template <int kBands, typename Pixel, typename Rounding>
class ViewTile {
  public:
    SECO_HOST_DEVICE ViewTile(const AugmentBatch& batch, const ViewPlan& plan, const uint64_t* grey_sums,
                              float* shared, uint32_t block)
        : batch_(batch),
          plan_(plan),
          shared_(shared),
          item_(block / (plan.strips * plan.tiles)),
          view_(batch.params[item_]),
          safe_(batch, view_),
          grey_sum_(grey_sums + item_),
          patch_(batch, item_ / static_cast<uint32_t>(batch.views), safe_.date, view_),
          radius_(math::blur_radius(safe_.sigma)) {
        const int strip = static_cast<int>(block / plan.tiles % plan.strips);
        const int tile = static_cast<int>(block % plan.tiles);
        top_ = strip * plan.strip_rows;
        bottom_ = least(batch.size, top_ + plan.strip_rows);
        left_ = tile * plan.tile_columns;
        columns_ = least(batch.size - left_, plan.tile_columns);
        const math::Taps last = math::resize_taps(left_ + columns_ - 1, safe_.width, batch.size);
        const int first = math::resize_taps(left_, safe_.width, batch.size).first;
        const int end = last.first + last.count;
        inner_left_ = safe_.flip ? safe_.width - end : first;
        inner_ = end - first;
    }

    // A launch makes the blurred views or the others.
    SECO_HOST_DEVICE bool is_made() const {
        return plan_.radius ? radius_ > 0 && radius_ <= plan_.radius : radius_ == 0;
    }
    // The tile, in phases: `phase` runs a function on every thread and lets none go on before all
    // are done.
    template <typename Phase>
    SECO_HOST_DEVICE void make(const Phase& phase) const {
        phase([&](int thread) { tabulate(thread); });
        if (radius_ > 0) phase([&](int thread) { normalise_blur(thread); });
        phase([&](int thread) { tabulate_groups(thread); });
        for (int y = top_; y < bottom_; y += kGroup) {
            phase([&](int thread) {
                if (y > top_) copy_out(thread, y - kGroup);
                filter_down(thread, y);
            });
            if (radius_ > 0) phase([&](int thread) { blur_across(thread, y); });
            phase([&](int thread) { resize_across(thread, y); });
        }
        phase([&](int thread) { copy_out(thread, top_ + (bottom_ - top_ - 1) / kGroup * kGroup); });
    }

  private:
    // Weights of one group's rows for a row of the patch.
    struct alignas(kAlignment) GroupWeights {
        float of[kGroup];
    };

    // Blur weights before normalisation, rows and columns, the mean grey of the patch.
    SECO_HOST_DEVICE void tabulate(int thread) const {
        for (int k = thread; k < 2 * radius_ + 1; k += plan_.threads)
            blur()[k] = radius_ ? math::blur_weight(k - radius_, safe_.sigma) : 1.0f;
        for (int x = thread; x < columns_; x += plan_.threads) tabulate_column(x);
        for (int row = thread; row < bottom_ - top_; row += plan_.threads) tabulate_row(row);
        if (thread == 0 && view_.contrast != 1.0f)
            shared_[plan_.pole_at] = math::mean_grey(*grey_sum_, int64_t{batch_.height} * batch_.width);
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
            const int first = rows()[2 * row];
            GroupWeights weights;
            int end = first;
            for (int g = 0; g < kGroup; ++g) {
                const bool made = top_ + row + g < bottom_;
                weights.of[g] = made ? row_weight(row + g, first + m) : 0.0f;
                if (made) end = rows()[2 * (row + g)] + rows()[2 * (row + g) + 1];
            }
            group_weights()[i] = weights;
            if (m == 0) {
                groups_of()[2 * group] = safe_.top + first - radius_;
                groups_of()[2 * group + 1] = end - first + 2 * radius_;
            }
        }
    }

    // Rows [y, y + kGroup), not yet blurred or resized from left to right.
    SECO_HOST_DEVICE void filter_down(int thread, int y) const {
        for (int j = thread; j < inner_ + 2 * radius_; j += plan_.threads) filter_column(j, y);
    }

    SECO_HOST_DEVICE void blur_across(int thread, int y) const {
        // So many sums at once share the reading of a weight; rows behind the last give numbers nobody takes.
        constexpr int kPlanes = kBands ? kGroup * kBands : 1;
        const float* weights = normal_blur();
        const int planes = least(kGroup, bottom_ - y) * patch_.bands();
        for (int j = thread; j < inner_; j += plan_.threads) {
            for (int p = 0; p < planes; p += kPlanes) {
                const float* in = shared_ + plan_.between_at + p * plan_.reach + j;
                float* out = shared_ + plan_.blurred_at + p * inner_pitch() + j;
                float sums[kPlanes] = {};
                for (int k = 0; k < 2 * radius_ + 1; ++k)
                    for (int i = 0; i < kPlanes; ++i) sums[i] += in[i * plan_.reach + k] * weights[k];
                for (int i = 0; i < kPlanes; ++i) out[i * inner_pitch()] = sums[i];
            }
        }
    }

    SECO_HOST_DEVICE void resize_across(int thread, int y) const {
        const int planes = least(kGroup, bottom_ - y) * patch_.bands();
        for (int x = thread; x < columns_; x += plan_.threads) {
            if (plan_.across <= 3)
                resize_near(x, planes);
            else
                resize_wide(x, planes);
        }
    }

    SECO_HOST_DEVICE void copy_out(int thread, int y) const {
        switch (plan_.unit) {
            case kAlignment:
                return copy_rows<Sixteen>(thread, y);
            case 4:
                return copy_rows<uint32_t>(thread, y);
            default:
                return copy_rows<uint16_t>(thread, y);
        }
    }

    static constexpr int kWide = kBands ? kBands : 1;  // bands that are filtered from top to bottom at once

    struct alignas(kAlignment) Sixteen {
        uint32_t words[4];
    };

    static SECO_HOST_DEVICE int least(int a, int b) { return a < b ? a : b; }

    SECO_HOST_DEVICE float* blur() const { return shared_ + plan_.blur_at; }
    SECO_HOST_DEVICE float* normal_blur() const { return blur() + 2 * plan_.radius + 1; }
    SECO_HOST_DEVICE int* rows() const { return reinterpret_cast<int*>(shared_ + plan_.rows_at); }
    SECO_HOST_DEVICE int* groups_of() const { return reinterpret_cast<int*>(shared_ + plan_.groups_at); }
    SECO_HOST_DEVICE GroupWeights* group_weights() const {
        return reinterpret_cast<GroupWeights*>(shared_ + plan_.down_at);
    }
    SECO_HOST_DEVICE int* columns() const { return reinterpret_cast<int*>(shared_ + plan_.columns_at); }

    SECO_HOST_DEVICE void tabulate_column(int x) const {
        const math::Taps taps = math::resize_taps(left_ + x, safe_.width, batch_.size);
        const float sum = weight_sum(taps, safe_.width);
        columns()[x] = (safe_.flip ? safe_.width - 1 - taps.first : taps.first) - inner_left_;
        columns()[plan_.tile_columns + x] = taps.count;
        for (int k = 0; k < plan_.across; ++k)
            shared_[plan_.across_at + k * plan_.tile_columns + x] =
                k < taps.count ? resize_weight(taps, k, safe_.width) / sum : 0.0f;
    }

    SECO_HOST_DEVICE float resize_weight(const math::Taps& taps, int k, int in_size) const {
        return math::resize_weight(taps.first + k, taps.centre, in_size, batch_.size);
    }

    SECO_HOST_DEVICE float weight_sum(const math::Taps& taps, int in_size) const {
        float sum = 0.0f;
        for (int k = 0; k < taps.count; ++k) sum += resize_weight(taps, k, in_size);
        return sum;
    }

    // First sample, number and weights of a row of the strip, without the blur.
    SECO_HOST_DEVICE void tabulate_row(int row) const {
        const math::Taps taps = math::resize_taps(top_ + row, safe_.height, batch_.size);
        const float sum = weight_sum(taps, safe_.height);
        rows()[2 * row] = taps.first;
        rows()[2 * row + 1] = taps.count;
        for (int k = 0; k < taps.count; ++k)
            shared_[plan_.tall_at + row * plan_.tall + k] = resize_weight(taps, k, safe_.height) / sum;
    }

    // What row `source` of the crop, counted from `radius_` above it, weighs in a row of the strip.
    SECO_HOST_DEVICE float row_weight(int row, int source) const {
        const float* weights = shared_ + plan_.tall_at + row * plan_.tall;
        const int m = source - rows()[2 * row], count = rows()[2 * row + 1];
        if (radius_ == 0) return m >= 0 && m < count ? weights[m] : 0.0f;
        float both = 0.0f;
        for (int k = 0; k < count; ++k)
            if (m >= k && m - k < 2 * radius_ + 1) both += weights[k] * normal_blur()[m - k];
        return both;
    }

    SECO_HOST_DEVICE void filter_column(int j, int y) const {
        const int group = (y - top_) / kGroup, ring = plan_.ring;
        const int first = groups_of()[2 * group], end = first + groups_of()[2 * group + 1];
        const int column = math::reflect(safe_.left + inner_left_ + j - radius_, batch_.width);
        const math::ColourChain chain(view_, batch_.rgb);
        const float pole = shared_[plan_.pole_at];
        // The last row that the group before has put into the ring, if what it left there is of use.
        int newest = group ? groups_of()[2 * group - 2] + groups_of()[2 * group - 1] - 1 : first - 1;
        if (newest < first - 1 || newest >= first + ring) newest = first - 1;
        auto ahead = fetch(newest + 1, column);
        // So many rows as the ring holds, in most cases all.
        for (int from = first; from < end; from += ring) {
            const int to = least(end, from + ring);
            while (newest + 1 < to) {
                ++newest;
                colour(newest, column, chain, pole, ahead, kept(slot_of(newest), j));
                ahead = fetch(newest + 1, column);
            }
            const GroupWeights* weights = group_weights() + group * plan_.down + (from - first);
            for (int c = 0; c < patch_.bands(); c += kWide)
                add_rows(j, c, from, to - from, weights, from == first);
        }
    }

    // Adds `count` rows of the ring from `from` on to the group's rows, for kWide bands from `c` on.
    SECO_HOST_DEVICE void add_rows(int j, int c, int from, int count, const GroupWeights* weights,
                                   bool begins) const {
        const int bands = patch_.bands(), reach = plan_.reach;
        float* between = shared_ + plan_.between_at + c * reach + j;
        float sums[kGroup][kWide];
        for (int g = 0; g < kGroup; ++g)
            for (int i = 0; i < kWide; ++i) sums[g][i] = begins ? 0.0f : between[(g * bands + i) * reach];
        int slot = slot_of(from);
        for (int m = 0; m < count; ++m) {
            const float* row = kept(slot, j) + c * reach;
            const GroupWeights weight = weights[m];
            for (int i = 0; i < kWide; ++i) {
                const float x = row[i * reach];
                for (int g = 0; g < kGroup; ++g) sums[g][i] += x * weight.of[g];
            }
            slot = slot + 1 == plan_.ring ? 0 : slot + 1;
        }
        for (int g = 0; g < kGroup; ++g)
            for (int i = 0; i < kWide; ++i) between[(g * bands + i) * reach] = sums[g][i];
    }

    // Where the ring keeps a row, which may lie above the patch by the blur's radius.
    SECO_HOST_DEVICE int slot_of(int row) const {
        return (row + plan_.ring * math::kBlurRadius) % plan_.ring;
    }
    SECO_HOST_DEVICE float* kept(int slot, int j) const {
        return shared_ + plan_.ring_at + slot * patch_.bands() * plan_.reach + j;
    }

    SECO_HOST_DEVICE int64_t address(int row, int column) const {
        return int64_t{math::reflect(row, batch_.height)} * batch_.width + column;
    }

    SECO_HOST_DEVICE auto fetch(int row, int column) const { return patch_.fetch(address(row, column)); }

    // A pixel, coloured, into its place in the ring.
    SECO_HOST_DEVICE void colour(int row, int column, const math::ColourChain& chain, float pole,
                                 const typename PatchReader<kBands, Pixel>::Raw& raw, float* to) const {
        if (kBands) {
            float x[kBands ? kBands : 1];
            patch_.to_units(raw, x);
            chain.apply_all(x, kBands, pole);
            for (int c = 0; c < kBands; ++c) to[c * plan_.reach] = x[c];
        } else {
            Strided x{to, plan_.reach};
            patch_.read(address(row, column), x);
            chain.apply_all(x, patch_.bands(), pole);
        }
    }

    // Rows of crop columns, and what lies between two of them.
    SECO_HOST_DEVICE const float* inner_rows() const {
        return shared_ + (radius_ ? plan_.blurred_at : plan_.between_at);
    }
    SECO_HOST_DEVICE int inner_pitch() const { return plan_.reach - 2 * plan_.radius; }

    // Up to three taps: they stay in registers.
    SECO_HOST_DEVICE void resize_near(int x, int planes) const {
        const int start = columns()[x], last = columns()[plan_.tile_columns + x] - 1;
        const int step = safe_.flip ? -1 : 1;
        const int at1 = start + least(1, last) * step, at2 = start + least(2, last) * step;
        const float* weights = shared_ + plan_.across_at + x;
        const float w0 = weights[0], w1 = weights[plan_.tile_columns];
        const float w2 = plan_.across > 2 ? weights[2 * plan_.tile_columns] : 0.0f;
        for (int p = 0; p < planes; ++p) {
            const float* in = inner_rows() + p * inner_pitch();
            stage(x, p, in[start] * w0 + in[at1] * w1 + in[at2] * w2);
        }
    }

    SECO_HOST_DEVICE void resize_wide(int x, int planes) const {
        const int start = columns()[x], count = columns()[plan_.tile_columns + x];
        const int step = safe_.flip ? -1 : 1;
        for (int p = 0; p < planes; ++p) {
            const float* in = inner_rows() + p * inner_pitch() + start;
            float sum = 0.0f;
            for (int k = 0; k < count; ++k)
                sum += in[k * step] * shared_[plan_.across_at + k * plan_.tile_columns + x];
            stage(x, p, sum);
        }
    }

    // Normalises, rounds and lays out; `plane` counts bands within rows.
    SECO_HOST_DEVICE void stage(int x, int plane, float value) const {
        const int bands = patch_.bands(), c = plane % bands;
        const float normal = (value - batch_.mean[c]) * batch_.inverse_std[c];
        const int at = batch_.channels_last ? (plane / bands * plan_.tile_columns + x) * bands + c
                                            : plane * plan_.tile_columns + x;
        float* staged = shared_ + plan_.staged_at;
        if (batch_.view_type == ViewType::kFloat32)
            staged[at] = normal;
        else
            reinterpret_cast<uint16_t*>(staged)[at] = batch_.view_type == ViewType::kFloat16
                                                          ? Rounding::to_half(normal)
                                                          : Rounding::to_bfloat16(normal);
    }

    template <typename Unit>
    SECO_HOST_DEVICE void copy_rows(int thread, int y) const {
        const bool last = batch_.channels_last;
        const int bands = patch_.bands(), rows = least(kGroup, bottom_ - y);
        const int pixel = ViewPlan::value_bytes(batch_) * (last ? bands : 1),
                  unit = static_cast<int>(sizeof(Unit));
        const int segments = last ? rows : rows * bands;
        const int count = columns_ * pixel / unit, pitch = plan_.tile_columns * pixel / unit;
        const auto* staged = reinterpret_cast<const Unit*>(shared_ + plan_.staged_at);
        const int64_t n = item_ / static_cast<uint32_t>(batch_.views),
                      v = item_ % static_cast<uint32_t>(batch_.views);
        const int64_t planes = batch_.place(n, v) * (last ? 1 : bands);
        for (int i = thread; i < segments * count; i += plan_.threads) {
            const int s = i / count, at = i % count;
            // Bands of a row follow one another in shared memory, and are planes apart in the view.
            const int64_t plane = planes + (last ? 0 : s % bands), row = y + (last ? s : s / bands);
            const int64_t pixels = (plane * batch_.size + row) * batch_.size + left_;
            static_cast<Unit*>(batch_.out)[pixels * pixel / unit + at] = staged[s * pitch + at];
        }
    }

    const AugmentBatch& batch_;
    const ViewPlan& plan_;
    float* shared_;
    uint32_t item_;
    const ViewParams& view_;
    SafeView safe_;
    const uint64_t* grey_sum_;
    PatchReader<kBands, Pixel> patch_;
    int radius_;
    int top_, bottom_, left_, columns_, inner_left_, inner_;
};

}  // namespace seco::cuda
