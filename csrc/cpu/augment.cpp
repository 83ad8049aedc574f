// One view at a time: the region that the crop needs (and a halo for the blur) is loaded as planes of float,
// taken through the chain in place, and resized into the output. Only the mean grey of contrast looks at the
// whole patch.
#include "cpu/augment.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/parallel_for.hpp"
#include "math/colour.hpp"
#include "math/half.hpp"
#include "math/resample.hpp"

// Loops over rows are compiled for each instruction set and chosen at run time. Contraction is off, so all
// give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define SECO_CLONES __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define SECO_CLONES
#endif

namespace seco::cpu {
namespace {

// A rectangle of the unflipped patch.
struct Region {
    int top, left, height, width;
};

// Scratch of one thread; grows to the largest view and is kept.
struct Scratch {
    std::vector<float> planes, blurred, row, grey;
    std::vector<float> weights_y, weights_x;
    std::vector<int> first_y, first_x;
};

template <typename Pixel>
SECO_CLONES void load_row(const Pixel* in, float* out, int width, float scale, float offset) {
    for (int x = 0; x < width; ++x) out[x] = math::to_unit(static_cast<float>(in[x]), scale, offset);
}

SECO_CLONES void adjust_row(float* row, int width, float gain, float offset) {
    for (int x = 0; x < width; ++x) row[x] = math::to_unit(row[x], 1.0f + gain, offset);
}

SECO_CLONES void brighten_row(float* row, int width, float factor) {
    for (int x = 0; x < width; ++x) row[x] = math::brighten(row[x], factor);
}

SECO_CLONES void blend_row(float* row, int width, float pole, float factor) {
    for (int x = 0; x < width; ++x) row[x] = math::blend(row[x], pole, factor);
}

SECO_CLONES void blend_row_with(float* row, const float* pole, int width, float factor) {
    for (int x = 0; x < width; ++x) row[x] = math::blend(row[x], pole[x], factor);
}

SECO_CLONES void luma_row(const float* red, const float* green, const float* blue, float* out, int width) {
    for (int x = 0; x < width; ++x) out[x] = math::luma(red[x], green[x], blue[x]);
}

SECO_CLONES void add_row(const float* in, float* out, int width) {
    for (int x = 0; x < width; ++x) out[x] += in[x];
}

SECO_CLONES void scale_row(float* row, int width, float factor) {
    for (int x = 0; x < width; ++x) row[x] *= factor;
}

SECO_CLONES void turn_hue_row(float* __restrict red, float* __restrict green, float* __restrict blue,
                              int width, float shift) {
    for (int x = 0; x < width; ++x) {
        const math::Rgb turned = math::turn_hue({red[x], green[x], blue[x]}, shift);
        red[x] = turned.red;
        green[x] = turned.green;
        blue[x] = turned.blue;
    }
}

// out[x] (+)= in[x] * weight
SECO_CLONES void accumulate_row(const float* __restrict in, float* __restrict out, int width, float weight) {
    for (int x = 0; x < width; ++x) out[x] += in[x] * weight;
}

// Rows of all bands at one line: band c starts at data + c * stride.
struct Line {
    float* data;
    int64_t stride;
    float* band(int c) const { return data + c * stride; }
};

class View {
  public:
    View(const AugmentBatch& batch, const ViewParams& params, const void* patch, Scratch& scratch)
        : batch_(batch), params_(params), patch_(patch), scratch_(scratch) {
        halo_ = params.blur_sigma > 0.0f ? math::blur_radius(params.blur_sigma) : 0;
        const int left = params.flip ? batch.width - params.crop_left - params.crop_width : params.crop_left;
        crop_ = {params.crop_top, left, params.crop_height, params.crop_width};
        region_.top = std::max(0, crop_.top - halo_);
        region_.left = std::max(0, crop_.left - halo_);
        region_.height = std::min(batch.height, crop_.top + crop_.height + halo_) - region_.top;
        region_.width = std::min(batch.width, crop_.left + crop_.width + halo_) - region_.left;
    }

    void write(void* out) {
        load();
        const bool wants_contrast = params_.contrast != 1.0f;
        const float pole = wants_contrast ? mean_grey_before_contrast() : 0.0f;
        for (int y = 0; y < region_.height; ++y) {
            colour(line(y), region_.width, 4, pole);
            if (params_.grey) to_grey(line(y), region_.width);
        }
        if (halo_ > 0) blur();
        resize(out);
    }

  private:
    int64_t plane() const { return int64_t{region_.height} * region_.width; }
    Line line(int y) { return {scratch_.planes.data() + int64_t{y} * region_.width, plane()}; }

    // Line y of the patch, columns [left, left + width), as [0, 1].
    void load_line(const Line& out, int y, int left, int width) const {
        const int64_t area = int64_t{batch_.height} * batch_.width;
        for (int c = 0; c < batch_.bands; ++c) {
            const int64_t start = c * area + int64_t{y} * batch_.width + left;
            if (batch_.pixel_type == PixelType::kUint8) {
                load_row(static_cast<const uint8_t*>(patch_) + start, out.band(c), width, batch_.scale[c],
                         batch_.offset[c]);
            } else {
                load_row(static_cast<const uint16_t*>(patch_) + start, out.band(c), width, batch_.scale[c],
                         batch_.offset[c]);
            }
            if (params_.band_gain[c] != 0.0f || params_.band_offset[c] != 0.0f)
                adjust_row(out.band(c), width, params_.band_gain[c], params_.band_offset[c]);
        }
    }

    void load() {
        scratch_.planes.resize(static_cast<size_t>(plane() * batch_.bands));
        for (int y = 0; y < region_.height; ++y)
            load_line(line(y), region_.top + y, region_.left, region_.width);
    }

    // Grey of one line: luma of red, green and blue, else the mean of the bands.
    const float* grey(const Line& line, int width) {
        scratch_.grey.resize(std::max(scratch_.grey.size(), static_cast<size_t>(width)));
        float* out = scratch_.grey.data();
        if (batch_.rgb) {
            luma_row(line.band(0), line.band(1), line.band(2), out, width);
            return out;
        }
        std::copy_n(line.band(0), width, out);
        for (int c = 1; c < batch_.bands; ++c) add_row(line.band(c), out, width);
        scale_row(out, width, 1.0f / static_cast<float>(batch_.bands));
        return out;
    }

    void to_grey(const Line& line, int width) {
        const float* value = grey(line, width);
        for (int c = 0; c < batch_.bands; ++c) std::copy_n(value, width, line.band(c));
    }

    // The first `steps` operations of the drawn order on one line.
    void colour(const Line& line, int width, int steps, float contrast_pole) {
        for (int i = 0; i < steps; ++i) {
            switch (static_cast<ColourStep>(params_.order[i])) {
                case ColourStep::kBrightness:
                    if (params_.brightness == 1.0f) break;
                    for (int c = 0; c < batch_.bands; ++c)
                        brighten_row(line.band(c), width, params_.brightness);
                    break;
                case ColourStep::kContrast:
                    if (params_.contrast == 1.0f) break;
                    for (int c = 0; c < batch_.bands; ++c)
                        blend_row(line.band(c), width, contrast_pole, params_.contrast);
                    break;
                case ColourStep::kSaturation: {
                    if (params_.saturation == 1.0f || batch_.bands == 1) break;
                    const float* pole = grey(line, width);
                    for (int c = 0; c < batch_.bands; ++c)
                        blend_row_with(line.band(c), pole, width, params_.saturation);
                    break;
                }
                case ColourStep::kHue:
                    if (params_.hue == 0.0f) break;
                    turn_hue_row(line.band(0), line.band(1), line.band(2), width, params_.hue);
                    break;
            }
        }
    }

    // Mean grey of the whole patch after the operations that come before contrast.
    float mean_grey_before_contrast() {
        const auto* end = params_.order + 4;
        const int steps = static_cast<int>(
            std::find(params_.order, end, static_cast<int8_t>(ColourStep::kContrast)) - params_.order);
        scratch_.row.resize(static_cast<size_t>(batch_.width) * batch_.bands);
        const Line whole{scratch_.row.data(), batch_.width};
        double sum = 0.0;
        for (int y = 0; y < batch_.height; ++y) {
            load_line(whole, y, 0, batch_.width);
            colour(whole, batch_.width, steps, 0.0f);
            const float* value = grey(whole, batch_.width);
            float line_sum = 0.0f;
            for (int x = 0; x < batch_.width; ++x) line_sum += value[x];
            sum += line_sum;
        }
        return static_cast<float>(sum / (static_cast<double>(batch_.height) * batch_.width));
    }

    // Separable Gaussian in place. Where the region ends inside the patch, the halo absorbs what reflection
    // gets wrong there.
    void blur() {
        std::vector<float>& weights = scratch_.weights_x;
        weights.resize(static_cast<size_t>(2 * halo_ + 1));
        float sum = 0.0f;
        for (int k = -halo_; k <= halo_; ++k) {
            const float ratio = static_cast<float>(k) / params_.blur_sigma;
            sum += weights[static_cast<size_t>(k + halo_)] = std::exp(-0.5f * ratio * ratio);
        }
        for (float& weight : weights) weight /= sum;

        const int height = region_.height, width = region_.width;
        scratch_.blurred.resize(static_cast<size_t>(plane()));
        scratch_.row.resize(static_cast<size_t>(width + 2 * halo_));
        for (int c = 0; c < batch_.bands; ++c) {
            float* band = scratch_.planes.data() + c * plane();
            float* between = scratch_.blurred.data();
            std::fill_n(between, plane(), 0.0f);
            for (int y = 0; y < height; ++y) {
                float* padded = scratch_.row.data();
                const float* in = band + int64_t{y} * width;
                std::copy_n(in, width, padded + halo_);
                for (int k = 1; k <= halo_; ++k) {
                    padded[halo_ - k] = in[math::reflect(-k, width)];
                    padded[halo_ + width - 1 + k] = in[math::reflect(width - 1 + k, width)];
                }
                for (int k = 0; k <= 2 * halo_; ++k)
                    accumulate_row(padded + k, between + int64_t{y} * width, width,
                                   weights[static_cast<size_t>(k)]);
            }
            std::fill_n(band, plane(), 0.0f);
            for (int y = 0; y < height; ++y)
                for (int k = -halo_; k <= halo_; ++k)
                    accumulate_row(between + int64_t{math::reflect(y + k, height)} * width,
                                   band + int64_t{y} * width, width, weights[static_cast<size_t>(k + halo_)]);
        }
    }

    // Normalised taps of every output sample along one axis; `first` counts from the start of the crop.
    int tabulate(int in_size, std::vector<int>& first, std::vector<float>& weights) const {
        const int out_size = batch_.size;
        int most = 0;
        for (int i = 0; i < out_size; ++i)
            most = std::max(most, math::resize_taps(i, in_size, out_size).count);
        first.resize(static_cast<size_t>(out_size));
        weights.assign(static_cast<size_t>(out_size) * most, 0.0f);
        for (int i = 0; i < out_size; ++i) {
            const math::Taps taps = math::resize_taps(i, in_size, out_size);
            // Every output has `most` taps inside the input, so that the inner loop has one length; the extra
            // weigh 0.
            const int start = std::min(taps.first, in_size - most);
            first[static_cast<size_t>(i)] = start;
            float* row = weights.data() + static_cast<size_t>(i) * most;
            float sum = 0.0f;
            for (int k = taps.first; k < taps.first + taps.count; ++k)
                sum += row[k - start] = math::resize_weight(k, taps.centre, in_size, out_size);
            for (int k = 0; k < most; ++k) row[k] /= sum;
        }
        return most;
    }

    void resize(void* out) {
        const int taps_y = tabulate(crop_.height, scratch_.first_y, scratch_.weights_y);
        const int taps_x = tabulate(crop_.width, scratch_.first_x, scratch_.weights_x);
        const int size = batch_.size;
        scratch_.row.resize(static_cast<size_t>(crop_.width));
        scratch_.grey.resize(static_cast<size_t>(size));
        float* row = scratch_.row.data();
        for (int y = 0; y < size; ++y) {
            const int top = crop_.top - region_.top + scratch_.first_y[static_cast<size_t>(y)];
            for (int c = 0; c < batch_.bands; ++c) {
                const float* band = line(top).band(c) + (crop_.left - region_.left);
                std::fill_n(row, crop_.width, 0.0f);
                for (int k = 0; k < taps_y; ++k)
                    accumulate_row(band + int64_t{k} * region_.width, row, crop_.width,
                                   scratch_.weights_y[static_cast<size_t>(y) * taps_y + k]);
                if (params_.flip) std::reverse(row, row + crop_.width);
                gather(row, taps_x, batch_.mean[c], batch_.inverse_std[c]);
                store(out, y, c);
            }
        }
    }

    // The horizontal pass of one row, normalised, into scratch_.grey.
    void gather(const float* row, int taps, float mean, float inverse_std) {
        const float* weights = scratch_.weights_x.data();
        for (int x = 0; x < batch_.size; ++x) {
            const float* in = row + scratch_.first_x[static_cast<size_t>(x)];
            float sum = 0.0f;
            for (int k = 0; k < taps; ++k) sum += in[k] * weights[int64_t{x} * taps + k];
            scratch_.grey[static_cast<size_t>(x)] = (sum - mean) * inverse_std;
        }
    }

    void store(void* out, int y, int c) const {
        switch (batch_.view_type) {
            case ViewType::kFloat32:
                return store_as(static_cast<float*>(out), y, c, [](float x) { return x; });
            case ViewType::kFloat16:
                return store_as(static_cast<uint16_t*>(out), y, c, math::to_half);
            case ViewType::kBfloat16:
                return store_as(static_cast<uint16_t*>(out), y, c, math::to_bfloat16);
        }
    }

    template <typename Value, typename Cast>
    void store_as(Value* out, int y, int c, Cast cast) const {
        const int64_t size = batch_.size;
        const int64_t step = batch_.channels_last ? batch_.bands : 1;
        out += batch_.channels_last ? int64_t{y} * size * batch_.bands + c : (c * size + y) * size;
        for (int64_t x = 0; x < size; ++x) out[x * step] = cast(scratch_.grey[static_cast<size_t>(x)]);
    }

    const AugmentBatch& batch_;
    const ViewParams& params_;
    const void* patch_;
    Scratch& scratch_;
    Region crop_, region_;
    int halo_;
};

}  // namespace

void augment_views(const AugmentBatch& batch, int threads) {
    const int64_t patch_bytes =
        int64_t{batch.bands} * batch.height * batch.width * (batch.pixel_type == PixelType::kUint8 ? 1 : 2);
    const int64_t view_bytes =
        int64_t{batch.bands} * batch.size * batch.size * (batch.view_type == ViewType::kFloat32 ? 4 : 2);
    parallel_for(batch.locations * batch.views, threads, [&](int64_t item) {
        thread_local Scratch scratch;
        const int64_t n = item / batch.views, v = item % batch.views;
        const ViewParams& params = batch.params[item];
        const auto* patch =
            static_cast<const char*>(batch.pixels) + (n * batch.dates + params.date) * patch_bytes;
        auto* out = static_cast<char*>(batch.out) + (v * batch.locations + n) * view_bytes;
        View(batch, params, patch, scratch).write(out);
    });
}

}  // namespace seco::cpu
