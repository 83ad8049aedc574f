// What the threads of one block do to make one tile of one view, in phases with a barrier after each. The
// kernel runs these functions; so does the emulation on the CPU, thread by thread.
//
// Of three bands each thread owns columns of the patch, which it colours and filters from top to bottom, for
// a few rows of the view at once; of more or fewer the threads share out pixels and sums. Then these rows are
// blurred and resized from left to right and copied out. Operations come in
// the order of csrc/cpu/augment.cpp, so that both give the same bits.
#pragma once

#include "cuda/column_filter.hpp"
#include "cuda/integers.hpp"
#include "cuda/per_band.hpp"
#include "cuda/tile_tables.hpp"
#include "cuda/view_plan.hpp"

namespace seco::cuda {

// `Rounding` turns float into the bits of 16-bit floats. `kBlurs`: as in TileTables.
template <int kBands, typename Pixel, bool kBlurs, typename Rounding>
class ViewTile {
  public:
    SECO_HOST_DEVICE ViewTile(const AugmentBatch& batch, const ViewPlan& plan, const uint64_t* grey_sums,
                              float* shared, uint32_t block)
        : batch_(batch),
          plan_(plan),
          shared_(shared),
          item_(block / (plan.strips * plan.tiles)),
          grey_sums_(grey_sums),
          filter_(batch, plan, batch.params[item_], item_ / static_cast<uint32_t>(batch.views), shared,
                  block),
          view_start_(static_cast<char*>(batch.out) +
                      batch.place(item_ / static_cast<uint32_t>(batch.views),
                                  item_ % static_cast<uint32_t>(batch.views)) *
                          plan.planes * batch.size * plan.row * plan.unit) {}

    SECO_HOST_DEVICE bool is_made() const { return tables().is_made(); }

    // The tile, in phases: `phase` runs a function on every thread and lets none go on before all are done.
    template <typename Phase>
    SECO_HOST_DEVICE void make(const Phase& phase) const {
        phase([&](int thread) {
            tables().tabulate(thread);
            if (thread == 0) find_pole();
        });
        if (kBlurs) phase([&](int thread) { tables().normalise_blur(thread); });
        if (!tables().slides()) phase([&](int thread) { tables().tabulate_groups(thread); });
        const int bottom = tables().bottom();
        for (int y = tables().top();; y += plan_.stage_rows) {
            phase([&](int thread) {
                if (y > tables().top()) copy_out(thread, y - plan_.stage_rows);
                if (y < bottom) begin_rows(thread, y);
            });
            if (y >= bottom) return;
            if constexpr (kBands == 0)
                for (int from = 0; from < filter_.rows_of_patch(y); from += plan_.ring) {
                    if (from) phase([&](int thread) { filter_.colour_rows(thread, y, from); });
                    phase([&](int thread) { filter_.filter_rows(thread, y, from); });
                }
            if (kBlurs) phase([&](int thread) { blur_across(thread, y); });
            phase([&](int thread) { resize_across(thread, y); });
        }
    }

  private:
    static constexpr int kWide = ColumnFilter<kBands, Pixel, kBlurs>::kWide;

    struct alignas(kAlignment) Sixteen {
        uint32_t words[4];
    };

    // The mean grey of the patch, where contrast asks for it.
    SECO_HOST_DEVICE void find_pole() const {
        if (batch_.params[item_].contrast != 1.0f)
            shared_[plan_.pole_at] =
                math::mean_grey(grey_sums_[item_], int64_t{batch_.height} * batch_.width);
    }

    // Of three bands all of the way down, of others the pixels that it begins with.
    SECO_HOST_DEVICE void begin_rows(int thread, int y) const {
        if constexpr (kBands == 0)
            filter_.colour_rows(thread, y, 0);
        else
            for (int j = thread; j < tables().reach(); j += plan_.threads) filter_.filter(j, y);
    }

    SECO_HOST_DEVICE void blur_across(int thread, int y) const {
        const int quads = tables().blurred_columns() / kQuad;
        const int parts = tables().rows_from(y) * bands() / kWide;
        for (int i = thread; i < quads * parts; i += plan_.threads)
            blur_quads(i % quads * kQuad, i / quads * kWide);
    }

    SECO_HOST_DEVICE void resize_across(int thread, int y) const {
        switch (batch_.view_type) {
            case ViewType::kFloat32:
                return resize_columns(thread, y, [](float x) { return x; });
            case ViewType::kFloat16:
                return resize_columns(thread, y, [](float x) { return Rounding::to_half(x); });
            case ViewType::kBfloat16:
                return resize_columns(thread, y, [](float x) { return Rounding::to_bfloat16(x); });
        }
    }

    // Of three bands a thread has a column, whose weights stay in registers; else a row of one.
    template <typename Round>
    SECO_HOST_DEVICE void resize_columns(int thread, int y, const Round& round) const {
        const int columns = tables().columns(), rows = tables().rows_from(y);
        if constexpr (kBands > 0)
            for (int x = thread; x < columns; x += plan_.threads) resize_column(x, 0, rows, round);
        else
            for (int i = thread; i < columns * rows; i += plan_.threads)
                resize_column(i % columns, i / columns, i / columns + 1, round);
    }

    SECO_HOST_DEVICE void copy_out(int thread, int y) const {
        switch (plan_.unit) {
            case kAlignment:
                return copy_runs<Sixteen>(thread, y);
            case 4:
                return copy_runs<uint32_t>(thread, y);
            default:
                return copy_runs<uint16_t>(thread, y);
        }
    }

    // Columns [j, j + kQuad) of kWide planes from `p` on: a sample is read once for four sums. Those behind
    // the last column give numbers nobody takes.
    SECO_HOST_DEVICE void blur_quads(int j, int p) const {
        const float* in = shared_ + plan_.between_at + p * plan_.reach + j;
        const float* weights = tables().blur_weights();
        const int taps = 2 * tables().radius() + 1;
        Quad here[kWide], next[kWide], sums[kWide] = {};
        for (int i = 0; i < kWide; ++i) here[i] = quad(in + i * plan_.reach);
        for (int k = 0; k < taps; k += kQuad) {
            if (k + 1 < taps)  // one tap needs no neighbour, and behind the last row others write
                for (int i = 0; i < kWide; ++i) next[i] = quad(in + i * plan_.reach + k + kQuad);
            for (int t = 0; t < kQuad && k + t < taps; ++t)
                for (int i = 0; i < kWide; ++i)
                    for (int o = 0; o < kQuad; ++o)
                        sums[i].of[o] +=
                            (o + t < kQuad ? here[i].of[(o + t) % kQuad] : next[i].of[(o + t) % kQuad]) *
                            weights[k + t];
            for (int i = 0; i < kWide; ++i) here[i] = next[i];
        }
        const bool flips = tables().flips_blurred();
        float* out = shared_ + plan_.blurred_at + p * plan_.inner +
                     (flips ? tables().blurred_columns() - kQuad - j : j);
        for (int i = 0; i < kWide; ++i) quad(out + i * plan_.inner) = flips ? flipped(sums[i]) : sums[i];
    }

    static SECO_HOST_DEVICE Quad flipped(const Quad& q) { return {q.of[3], q.of[2], q.of[1], q.of[0]}; }
    static SECO_HOST_DEVICE const Quad& quad(const float* at) { return *reinterpret_cast<const Quad*>(at); }
    static SECO_HOST_DEVICE Quad& quad(float* at) { return *reinterpret_cast<Quad*>(at); }

    // A column of rows [from, to) of those between two barriers, resized from left to right.
    template <typename Round>
    SECO_HOST_DEVICE void resize_column(int x, int from, int to, const Round& round) const {
        const float* in = shared_ + (kBlurs ? plan_.blurred_at : plan_.between_at) + tables().first_tap(x);
        const int pitch = kBlurs ? plan_.inner : plan_.reach, apart = plan_.tile_columns;
        const float* weights = tables().weights_across(x);
        if (plan_.across == 3) {  // in most cases: the weights stay in registers
            const float w0 = weights[0], w1 = weights[apart], w2 = weights[2 * apart];
            return stage(x, from, to, round, [&](int plane, float* values) {
                for (int i = 0; i < kWide; ++i) {
                    const float* at = in + (plane + i) * pitch;
                    values[i] = at[0] * w0 + at[1] * w1 + at[2] * w2;
                }
            });
        }
        stage(x, from, to, round, [&](int plane, float* values) {
            for (int k = 0; k < plan_.across; ++k)
                for (int i = 0; i < kWide; ++i) values[i] += in[(plane + i) * pitch + k] * weights[k * apart];
        });
    }

    // Normalises, rounds and lays out such a column; `resize` makes its values in kWide planes, which count
    // bands within rows.
    template <typename Round, typename Resize>
    SECO_HOST_DEVICE void stage(int x, int from, int to, const Round& round, const Resize& resize) const {
        using Value = decltype(round(0.0f));
        const int pitch = plan_.tile_columns;
        const PerBand<kBands> mean(batch_.mean), inverse_std(batch_.inverse_std);
        const bool last = batch_.channels_last;
        auto* out = reinterpret_cast<Value*>(shared_ + plan_.staged_at) + from * bands() * pitch +
                    (last ? x * bands() : x);
        for (int row = from; row < to; ++row, out += bands() * pitch) {
            for (int c = 0; c < bands(); c += kWide) {
                float values[kWide] = {};
                resize(row * bands() + c, values);
                for (int i = 0; i < kWide; ++i)
                    out[last ? c + i : (c + i) * pitch] =
                        round((values[i] - mean[c + i]) * inverse_std[c + i]);
            }
        }
    }

    template <typename Unit>
    SECO_HOST_DEVICE void copy_runs(int thread, int y) const {
        const int left = tables().tile() * plan_.run,
                  units = tables().rows_from(y) * plan_.planes * plan_.run;
        const auto* staged = reinterpret_cast<const Unit*>(shared_ + plan_.staged_at);
        Unit* view = static_cast<Unit*>(view_start_);
        for (int i = thread; i < units; i += plan_.threads) {
            // Bands of a row follow one another in shared memory, and are planes apart in the view.
            const int run = plan_.run_of(i), at = left + i - run * plan_.run;
            const int row = batch_.channels_last ? run : run / bands(), band = run - row * plan_.planes;
            if (at < plan_.row) view[(band * batch_.size + y + row) * plan_.row + at] = staged[i];
        }
    }

    SECO_HOST_DEVICE const TileTables<kBlurs>& tables() const { return filter_.tables(); }
    SECO_HOST_DEVICE int bands() const { return kBands ? kBands : batch_.bands; }

    const AugmentBatch& batch_;
    const ViewPlan& plan_;
    float* shared_;
    uint32_t item_;
    const uint64_t* grey_sums_;
    ColumnFilter<kBands, Pixel, kBlurs> filter_;
    void* view_start_;
};

}  // namespace seco::cuda
