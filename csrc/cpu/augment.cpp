// One view at a time: the region that the crop needs (and a halo for the blur) is loaded as planes of float
// and coloured in place; then each row of the view is blurred and resized out of them. Only the mean grey of
// contrast looks at the whole patch.
#include "cpu/augment.hpp"

#include <algorithm>
#include <cstring>

#include "common/stages.hpp"
#include "cpu/parallel_for.hpp"
#include "cpu/rows.hpp"
#include "cpu/view_filter.hpp"
#include "math/colour_chain.hpp"
#include "math/half.hpp"
#include "math/resample.hpp"

namespace seco::cpu {
namespace {

// A rectangle of the unflipped patch.
struct Region {
    int top, left, height, width;
};

// Scratch of one thread; grows to the largest view and is kept.
struct Scratch {
    Floats planes, patch_line, grey, between, filtered, view_rows, view_pixels;
    BlurTaps blur;
    ResizeTaps down, across;
    RowTaps row_taps;
    std::vector<const float*> lines, shifted;
};

// Rows of all bands at one line: band c starts at data + c * stride.
struct Line {
    float* data;
    int64_t stride;
    float* band(int c) const { return data + c * stride; }
};

class View {
  public:
    View(const AugmentBatch& batch, const ViewParams& params, const void* patch, Scratch& scratch)
        : batch_(batch),
          params_(params),
          chain_(params, batch.bands, batch.rgb),
          patch_(patch),
          scratch_(scratch) {
        scratch.blur.tabulate(params.blur_sigma);
        const int halo = scratch.blur.radius;
        const int left = params.flip ? batch.width - params.crop_left - params.crop_width : params.crop_left;
        crop_ = {params.crop_top, left, params.crop_height, params.crop_width};
        region_.top = std::max(0, crop_.top - halo);
        region_.left = std::max(0, crop_.left - halo);
        region_.height = std::min(batch.height, crop_.top + crop_.height + halo) - region_.top;
        region_.width = std::min(batch.width, crop_.left + crop_.width + halo) - region_.left;
        row_width_ = padded(region_.width);
        planes_ = scratch.planes.reserve(plane() * batch.bands);
    }

    void write(void* out) {
        if (params_.contrast != 1.0f)
            colour_around_contrast();
        else
            for (int y = 0; y < region_.height; ++y) {
                load_line(line(y), region_.top + y, region_.left, region_.width);
                colour(line(y), row_width_, 0, chain_.steps, 0.0f);
            }
        resize(out);
    }

  private:
    int64_t plane() const { return int64_t{row_width_} * region_.height; }
    Line line(int y) const { return {planes_ + int64_t{y} * row_width_, plane()}; }

    // Line y of the patch, columns [left, left + width), as [0, 1].
    void load_line(const Line& out, int y, int left, int width) const {
        const int64_t area = int64_t{batch_.height} * batch_.width;
        for (int c = 0; c < batch_.bands; ++c) {
            const int64_t start = c * area + int64_t{y} * batch_.width + left;
            const float scale = batch_.scale[c], offset = batch_.offset[c];
            if (batch_.pixel_type == PixelType::kUint8)
                load_row(static_cast<const uint8_t*>(patch_) + start, out.band(c), width, scale, offset);
            else
                load_row(static_cast<const uint16_t*>(patch_) + start, out.band(c), width, scale, offset);
        }
    }

    // Grey of one line: luma of red, green and blue, else the mean of the bands.
    const float* grey(const Line& line, int width) {
        float* out = scratch_.grey.reserve(width);
        if (batch_.rgb) {
            luma_row(line.band(0), line.band(1), line.band(2), out, width);
            return out;
        }
        std::copy_n(line.band(0), width, out);
        for (int c = 1; c < batch_.bands; ++c) add_row(line.band(c), out, width);
        scale_row(out, width, 1.0f / static_cast<float>(batch_.bands));
        return out;
    }

    // Steps [first, end) of the chain on one line.
    void colour(const Line& line, int width, int first, int end, float contrast_pole) {
        for (int i = first; i < end; ++i) {
            switch (chain_.step(i)) {
                case ColourStep::kBrightness:
                    for (int c = 0; c < batch_.bands; ++c)
                        brighten_row(line.band(c), width, params_.brightness);
                    break;
                case ColourStep::kContrast:
                    for (int c = 0; c < batch_.bands; ++c)
                        blend_row(line.band(c), width, contrast_pole, params_.contrast);
                    break;
                case ColourStep::kSaturation: {
                    const float* pole = grey(line, width);
                    for (int c = 0; c < batch_.bands; ++c)
                        blend_row_with(line.band(c), pole, width, params_.saturation);
                    break;
                }
                case ColourStep::kHue:
                    turn_hue_row(line.band(0), line.band(1), line.band(2), width, params_.hue);
                    break;
                case ColourStep::kBandChange:
                    for (int c = 0; c < batch_.bands; ++c)
                        adjust_row(line.band(c), width, params_.band_gain[c], params_.band_offset[c]);
                    break;
                case ColourStep::kGrey: {
                    const float* value = grey(line, width);
                    for (int c = 0; c < batch_.bands; ++c) std::copy_n(value, width, line.band(c));
                    break;
                }
            }
        }
    }

    // Contrast blends with the mean grey of the whole patch at its point of the order, so every line goes
    // through what comes before it; those of the region are kept.
    void colour_around_contrast() {
        const int before = chain_.before_contrast();
        const int width = padded(batch_.width);
        const Line whole{scratch_.patch_line.reserve(int64_t{width} * batch_.bands), width};
        uint64_t sum = 0;
        for (int y = 0; y < batch_.height; ++y) {
            load_line(whole, y, 0, batch_.width);
            colour(whole, width, 0, before, 0.0f);
            sum += sum_greys(grey(whole, width), batch_.width);
            if (y < region_.top || y >= region_.top + region_.height) continue;
            for (int c = 0; c < batch_.bands; ++c)
                std::copy_n(whole.band(c) + region_.left, region_.width, line(y - region_.top).band(c));
        }
        const float pole = math::mean_grey(sum, int64_t{batch_.height} * batch_.width);
        for (int y = 0; y < region_.height; ++y) colour(line(y), row_width_, before, chain_.steps, pole);
    }

    void resize(void* out) {
        ResizeTaps &down = scratch_.down, &across = scratch_.across;
        down.tabulate(crop_.height, batch_.size);
        down.blur_first(scratch_.blur);
        across.tabulate(crop_.width, batch_.size);
        arrange(across, crop_.width, params_.flip, scratch_.row_taps);
        float* filtered = scratch_.filtered.reserve(padded(crop_.width) + 2 * RowTaps::kBlock);
        const int64_t stride = padded(batch_.size);
        const Line view{scratch_.view_rows.reserve(stride * batch_.bands), stride};
        prepare_blur();
        for (int y = 0; y < batch_.size; ++y) {
            find_lines(y);
            for (int c = 0; c < batch_.bands; ++c) {
                filter_row(y, c, filtered);
                resize_row(filtered, scratch_.row_taps, batch_.mean[c], batch_.inverse_std[c], view.band(c));
            }
            store(view, out, y);
        }
        finish_streaming();
    }

    // The row that is blurred from left to right: as wide as the region, with room for what is reflected.
    void prepare_blur() {
        const int radius = scratch_.blur.radius, margin = padded(radius);
        wide_ = scratch_.between.reserve(margin + row_width_ + margin + kLanes) + margin;
        scratch_.shifted.clear();
        for (int k = -radius; k <= radius; ++k)
            scratch_.shifted.push_back(wide_ + crop_.left - region_.left + k);
    }

    // Lines of the first band that make row y of the view; duplicates where the blur is reflected.
    void find_lines(int y) {
        scratch_.lines.clear();
        const int first = crop_.top + scratch_.down.first[static_cast<size_t>(y)];
        for (int k = 0; k < scratch_.down.taps; ++k)
            scratch_.lines.push_back(line(math::reflect(first + k, batch_.height) - region_.top).data);
    }

    // Columns of the crop of row y of the view: blurred and resized from top to bottom, blurred from left to
    // right.
    void filter_row(int y, int c, float* out) {
        const ResizeTaps& down = scratch_.down;
        const BlurTaps& blur = scratch_.blur;
        const float* weights = down.weights.data() + int64_t{y} * down.taps;
        const int left = crop_.left - region_.left, width = padded(crop_.width);
        if (blur.radius == 0)  // the crop is the region
            return weigh_rows(scratch_.lines.data(), c * plane(), weights, down.taps, out, width);
        weigh_rows(scratch_.lines.data(), c * plane(), weights, down.taps, wide_, row_width_);
        for (int k = 1; k <= blur.radius - left; ++k) wide_[-k] = wide_[math::reflect(-k, region_.width)];
        const int end = region_.width, right = end - left - crop_.width;
        for (int k = 0; k < blur.radius - right; ++k) wide_[end + k] = wide_[math::reflect(end + k, end)];
        weigh_rows(scratch_.shifted.data(), 0, blur.weights.data(), 2 * blur.radius + 1, out, width);
    }

    void store(const Line& view, void* out, int64_t y) {
        const int64_t size = batch_.size, bands = batch_.bands;
        if (batch_.channels_last) {
            float* pixels = scratch_.view_pixels.reserve(size * bands);
            interleave_rows(view.data, view.stride, batch_.bands, pixels, batch_.size);
            return write_values(pixels, out, y * size * bands, size * bands);
        }
        for (int c = 0; c < bands; ++c) write_values(view.band(c), out, (c * size + y) * size, size);
    }

    // `count` values as the type of the views, from value `at` of `out` on.
    void write_values(const float* values, void* out, int64_t at, int64_t count) const {
        switch (batch_.view_type) {
            case ViewType::kFloat32:
                return stream_row(values, static_cast<float*>(out) + at, count);
            case ViewType::kFloat16:
                std::transform(values, values + count, static_cast<uint16_t*>(out) + at, math::to_half);
                return;
            case ViewType::kBfloat16:
                std::transform(values, values + count, static_cast<uint16_t*>(out) + at, math::to_bfloat16);
        }
    }

    const AugmentBatch& batch_;
    const ViewParams& params_;
    const math::ColourChain chain_;
    const void* patch_;
    Scratch& scratch_;
    Region crop_, region_;
    int row_width_;
    float *planes_, *wide_ = nullptr;
};

}  // namespace

void augment_views(const AugmentBatch& batch, int threads) {
    const int64_t patch_bytes =
        int64_t{batch.bands} * batch.height * batch.width * (batch.pixel_type == PixelType::kUint8 ? 1 : 2);
    const int64_t view_bytes =
        int64_t{batch.bands} * batch.size * batch.size * (batch.view_type == ViewType::kFloat32 ? 4 : 2);
    parallel_for(batch.locations * batch.views, threads, [&](int64_t item) {
        const StageTimer timer(Stage::kViews);
        thread_local Scratch scratch;
        const int64_t n = item / batch.views, v = item % batch.views;
        const ViewParams& params = batch.params[item];
        const auto* patch =
            static_cast<const char*>(batch.pixels) + (n * batch.dates + params.date) * patch_bytes;
        auto* out = static_cast<char*>(batch.out) + batch.place(n, v) * view_bytes;
        View(batch, params, patch, scratch).write(out);
    });
}

}  // namespace seco::cpu
