// What the threads of one block do to make one tile of one view, in phases with a barrier after each. The
// kernel runs these functions; so does the emulation on the CPU, thread by thread.
//
// Each thread owns columns of the patch: it walks down the rows, keeps the last of them, coloured, in a ring
// in shared memory, and filters them from top to bottom. Then rows are blurred and resized from left to right
// and copied out. Operations come in the order of csrc/cpu/augment.cpp, so that both give the same bits.
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
        for (int y = top_; y < bottom_; y += kGroup) {
            phase([&](int thread) { tabulate_rows(thread, y); });
            phase([&](int thread) { filter_down(thread, y); });
            if (radius_ > 0) phase([&](int thread) { blur_across(thread, y); });
            phase([&](int thread) { resize_across(thread, y); });
            phase([&](int thread) { copy_out(thread, y); });
        }
    }

  private:
    // Blur weights before normalisation, columns, the mean grey of the patch.
    SECO_HOST_DEVICE void tabulate(int thread) const {
        for (int k = thread; k < 2 * radius_ + 1; k += plan_.threads)
            blur()[k] = radius_ ? math::blur_weight(k - radius_, safe_.sigma) : 1.0f;
        for (int x = thread; x < columns_; x += plan_.threads) tabulate_column(x);
        if (thread == 0 && view_.contrast != 1.0f)
            shared_[plan_.pole_at] = math::mean_grey(*grey_sum_, int64_t{batch_.height} * batch_.width);
    }

    SECO_HOST_DEVICE void normalise_blur(int thread) const {
        float sum = 0.0f;
        for (int k = 0; k < 2 * radius_ + 1; ++k) sum += blur()[k];
        for (int k = thread; k < 2 * radius_ + 1; k += plan_.threads) normal_blur()[k] = blur()[k] / sum;
    }

    // Weights of the rows that make rows [y, y + kGroup) of the view: resize and blur in one.
    SECO_HOST_DEVICE void tabulate_rows(int thread, int y) const {
        const int wide = plan_.down;
        for (int i = thread; i < kGroup * wide; i += plan_.threads) {
            const int g = i / wide, m = i % wide;
            if (y + g >= bottom_) continue;
            const math::Taps taps = math::resize_taps(y + g, safe_.height, batch_.size);
            if (m == 0) {
                rows()[2 * g] = safe_.top + taps.first - radius_;
                rows()[2 * g + 1] = taps.count + 2 * radius_;
            }
            shared_[plan_.down_at + i] = row_weight(taps, m);
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

    struct alignas(kAlignment) Sixteen {
        uint32_t words[4];
    };

    static SECO_HOST_DEVICE int least(int a, int b) { return a < b ? a : b; }

    SECO_HOST_DEVICE float* blur() const { return shared_ + plan_.blur_at; }
    SECO_HOST_DEVICE float* normal_blur() const { return blur() + 2 * plan_.radius + 1; }
    SECO_HOST_DEVICE int* rows() const { return reinterpret_cast<int*>(shared_ + plan_.rows_at); }
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

    SECO_HOST_DEVICE float row_weight(const math::Taps& taps, int m) const {
        const float sum = weight_sum(taps, safe_.height);
        if (radius_ == 0) return m < taps.count ? resize_weight(taps, m, safe_.height) / sum : 0.0f;
        float both = 0.0f;
        for (int k = 0; k < taps.count; ++k)
            if (m >= k && m - k < 2 * radius_ + 1)
                both += resize_weight(taps, k, safe_.height) / sum * normal_blur()[m - k];
        return both;
    }

    SECO_HOST_DEVICE void filter_column(int j, int y) const {
        const int bands = patch_.bands(), reach = plan_.reach, ring = plan_.ring;
        const int column = math::reflect(safe_.left + inner_left_ + j - radius_, batch_.width);
        const math::ColourChain chain(view_, batch_.rgb);
        const float pole = shared_[plan_.pole_at];
        int newest = newest_before(y);
        auto ahead = fetch(newest + 1, column);
        for (int g = 0; g < kGroup && y + g < bottom_; ++g) {
            const int first = rows()[2 * g], count = rows()[2 * g + 1];
            if (count > ring || newest < first - 1) {
                newest = first - 1;
                ahead = fetch(first, column);
            }
            const float* weights = shared_ + plan_.down_at + g * plan_.down;
            float* between = shared_ + plan_.between_at + g * bands * reach + j;
            float sums[kBands ? kBands : 1] = {};
            int slot = (first + ring * math::kBlurRadius) % ring;
            for (int k = 0; k < count; ++k) {
                float* kept = shared_ + plan_.ring_at + slot * bands * reach + j;
                if (first + k > newest) {
                    newest = first + k;
                    colour(newest, column, chain, pole, ahead, kept);
                    ahead = fetch(newest + 1, column);
                }
                const float weight = weights[k];
                if (kBands)
                    for (int c = 0; c < kBands; ++c) sums[c] += kept[c * reach] * weight;
                else
                    for (int c = 0; c < bands; ++c)
                        between[c * reach] = (k ? between[c * reach] : 0.0f) + kept[c * reach] * weight;
                slot = slot + 1 == ring ? 0 : slot + 1;
            }
            for (int c = 0; c < kBands; ++c) between[c * reach] = sums[c];
        }
    }

    // The last row that earlier groups of this strip have put into the ring.
    SECO_HOST_DEVICE int newest_before(int y) const {
        const bool begins = y == top_;
        const math::Taps taps = math::resize_taps(begins ? y : y - 1, safe_.height, batch_.size);
        return begins ? safe_.top + taps.first - radius_ - 1
                      : safe_.top + taps.first + taps.count + radius_ - 1;
    }

    SECO_HOST_DEVICE int64_t address(int row, int column) const {
        return int64_t{math::reflect(row, batch_.height)} * batch_.width + column;
    }

    SECO_HOST_DEVICE auto fetch(int row, int column) const { return patch_.fetch(address(row, column)); }

    // A pixel, coloured, into its place in the ring.
    SECO_HOST_DEVICE void colour(int row, int column, const math::ColourChain& chain, float pole,
                                 const typename PatchReader<kBands, Pixel>::Raw& raw, float* kept) const {
        if (kBands) {
            float x[kBands ? kBands : 1];
            patch_.to_units(raw, x);
            chain.apply_all(x, kBands, pole);
            for (int c = 0; c < kBands; ++c) kept[c * plan_.reach] = x[c];
        } else {
            Strided x{kept, plan_.reach};
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
