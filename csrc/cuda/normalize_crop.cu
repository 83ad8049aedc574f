// One thread makes one pixel of one view, all bands: it reads the few pixels under its triangle filter and
// nothing else.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "cuda/check.cuh"
#include "cuda/normalize_crop.hpp"
#include "math/colour.hpp"
#include "math/resample.hpp"

namespace seco::cuda {
namespace {

constexpr int kThreads = 256;

__device__ void store(float* to, float x) { *to = x; }
__device__ void store(__half* to, float x) { *to = __float2half_rn(x); }
__device__ void store(__nv_bfloat16* to, float x) { *to = __float2bfloat16_rn(x); }

// Sum of the filter's weights along one axis, in the order in which the CPU adds them.
__device__ float weight_sum(math::Taps taps, int in_size, int out_size) {
    float sum = 0.0f;
    for (int k = taps.first; k < taps.first + taps.count; ++k)
        sum += math::resize_weight(k, taps.centre, in_size, out_size);
    return sum;
}

template <typename Pixel, typename Value>
__global__ void normalize_crop_kernel(AugmentBatch batch) {
    const int64_t area = int64_t{batch.size} * batch.size;
    const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (at >= batch.locations * batch.views * area) return;
    const int x = static_cast<int>(at % batch.size), y = static_cast<int>(at / batch.size % batch.size);
    const int64_t item = at / area, n = item / batch.views, v = item % batch.views;
    const ViewParams view = batch.params[item];
    const math::Taps rows = math::resize_taps(y, view.crop_height, batch.size);
    const math::Taps columns = math::resize_taps(x, view.crop_width, batch.size);
    const float row_sum = weight_sum(rows, view.crop_height, batch.size);
    const float column_sum = weight_sum(columns, view.crop_width, batch.size);

    const int64_t patch_area = int64_t{batch.height} * batch.width;
    const auto* patch =
        static_cast<const Pixel*>(batch.pixels) + (n * batch.dates + view.date) * batch.bands * patch_area;
    const int64_t step = batch.channels_last ? batch.bands : 1, band_step = batch.channels_last ? 1 : area;
    auto* out = static_cast<Value*>(batch.out) + (v * batch.locations + n) * batch.bands * area +
                (int64_t{y} * batch.size + x) * step;
    for (int c = 0; c < batch.bands; ++c) {
        const Pixel* band = patch + c * patch_area;
        float sum = 0.0f;
        for (int j = columns.first; j < columns.first + columns.count; ++j) {
            const int mirrored = view.crop_left + j;
            const int column = view.flip ? batch.width - 1 - mirrored : mirrored;
            float down = 0.0f;
            for (int i = rows.first; i < rows.first + rows.count; ++i) {
                const auto dn = static_cast<float>(band[int64_t{view.crop_top + i} * batch.width + column]);
                down += math::to_unit(dn, batch.scale[c], batch.offset[c]) *
                        (math::resize_weight(i, rows.centre, view.crop_height, batch.size) / row_sum);
            }
            sum += down * (math::resize_weight(j, columns.centre, view.crop_width, batch.size) / column_sum);
        }
        store(out + c * band_step, (sum - batch.mean[c]) * batch.inverse_std[c]);
    }
}

template <typename Pixel, typename Value>
void launch(const AugmentBatch& batch, cudaStream_t stream) {
    const int64_t pixels = batch.locations * batch.views * batch.size * batch.size;
    const int64_t blocks = (pixels + kThreads - 1) / kThreads;
    normalize_crop_kernel<Pixel, Value><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(batch);
    SECO_CUDA_CHECK(cudaGetLastError());
}

template <typename Pixel>
void launch_for(const AugmentBatch& batch, cudaStream_t stream) {
    switch (batch.view_type) {
        case ViewType::kFloat32:
            return launch<Pixel, float>(batch, stream);
        case ViewType::kFloat16:
            return launch<Pixel, __half>(batch, stream);
        case ViewType::kBfloat16:
            return launch<Pixel, __nv_bfloat16>(batch, stream);
    }
}

}  // namespace

void normalize_crop(const AugmentBatch& batch, void* stream) {
    if (batch.locations == 0 || batch.views == 0) return;
    auto* on = static_cast<cudaStream_t>(stream);
    if (batch.pixel_type == PixelType::kUint8) return launch_for<uint8_t>(batch, on);
    launch_for<uint16_t>(batch, on);
}

}  // namespace seco::cuda
