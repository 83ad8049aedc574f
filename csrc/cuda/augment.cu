#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <limits>
#include <optional>

#include "cuda/augment.hpp"
#include "cuda/check.cuh"
#include "cuda/grey_sum.hpp"
#include "cuda/view_tile.hpp"

namespace seco::cuda {
namespace {

struct DeviceRounding {
    static __device__ uint16_t to_half(float x) { return __half_as_ushort(__float2half_rn(x)); }
    static __device__ uint16_t to_bfloat16(float x) { return __bfloat16_as_ushort(__float2bfloat16_rn(x)); }
};

template <int kBands, typename Pixel>
__global__ void __launch_bounds__(kSumThreads, 4)
    grey_sum_kernel(const __grid_constant__ AugmentBatch batch, uint64_t* sums) {
    __shared__ float scratch[kBands ? 1 : kMaxBands * kSumThreads];
    const GreySum<kBands, Pixel> part(batch, scratch, blockIdx.x);
    if (!part.needed()) return;
    unsigned long long sum = part.add_up(threadIdx.x);
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) sum += __shfl_down_sync(0xffffffffu, sum, lanes);
    if (threadIdx.x % kWarp == 0) atomicAdd(reinterpret_cast<unsigned long long*>(sums + part.item()), sum);
}

// Blocks that should run at once on a multiprocessor: the compiler keeps to as many registers. A blur or many
// bands leave no shared memory for another.
constexpr int blocks_at_once(int bands, bool blurs) { return (bands ? 4 : 3) - (blurs ? 1 : 0); }

template <int kBands, typename Pixel, bool kBlurs>
__global__ void __launch_bounds__(kBands ? kMaxThreads : kManyThreads, blocks_at_once(kBands, kBlurs))
    views_kernel(const __grid_constant__ AugmentBatch batch, const __grid_constant__ ViewPlan plan,
                 const uint64_t* grey_sums) {
    extern __shared__ __align__(kAlignment) float shared[];
    const ViewTile<kBands, Pixel, kBlurs, DeviceRounding> tile(batch, plan, grey_sums, shared, blockIdx.x);
    if (!tile.is_made()) return;
    tile.make([](const auto& work) {
        work(static_cast<int>(threadIdx.x));
        __syncthreads();
    });
}

unsigned grid(int64_t blocks) {
    if (blocks > std::numeric_limits<int32_t>::max())
        throw ArrayError("pixels: expected a batch of fewer views for one launch, got " +
                         std::to_string(blocks) + " blocks; split it");
    return static_cast<unsigned>(blocks);
}

// Bytes that a multiprocessor has, that each block costs besides, and that one may have at the most.
struct SharedMemory {
    int64_t of_all, besides, most;

    int64_t of(int blocks) const { return of_all / blocks - besides; }
};

int64_t attribute(cudaDeviceAttr name) {
    int device = 0, value = 0;
    SECO_CUDA_CHECK(cudaGetDevice(&device));
    SECO_CUDA_CHECK(cudaDeviceGetAttribute(&value, name, device));
    return value;
}

SharedMemory shared_memory() {
    return {attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor),
            attribute(cudaDevAttrReservedSharedMemoryPerBlock),
            attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)};
}

// The views that are blurred, or those that are not: what can be refused is when this is made.
template <int kBands, typename Pixel, bool kBlurs>
class Views {
  public:
    Views(const AugmentBatch& batch, int radius, const SharedMemory& memory)
        // Three bands take less than half where a multiprocessor has much; where it has little, wide tiles
        // for two blocks colour fewer columns twice than narrow ones for more.
        : plan_(batch, radius, memory.of(kBands || kBlurs ? 2 : 3), memory.most),
          blocks_(grid(plan_.blocks(batch))) {
        // The same number each time: it belongs to the kernel, and other threads launch it too.
        SECO_CUDA_CHECK(cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             static_cast<int>(memory.most)));
    }

    void launch(const AugmentBatch& batch, const uint64_t* sums, cudaStream_t stream) const {
        kKernel<<<blocks_, static_cast<unsigned>(plan_.threads), static_cast<size_t>(plan_.shared_bytes),
                  stream>>>(batch, plan_, sums);
        SECO_CUDA_CHECK(cudaGetLastError());
    }

  private:
    static constexpr auto kKernel = views_kernel<kBands, Pixel, kBlurs>;

    const ViewPlan plan_;
    const unsigned blocks_;
};

template <int kBands, typename Pixel>
void launch(const AugmentBatch& batch, const ViewExtremes& extremes, uint64_t* sums, cudaStream_t stream) {
    const SharedMemory memory = shared_memory();
    const int64_t items = batch.locations * batch.views;
    const unsigned sum_blocks = grid(items * GreySum<kBands, Pixel>::count_parts(batch));
    std::optional<Views<kBands, Pixel, false>> sharp;
    if (extremes.any_sharp) sharp.emplace(batch, 0, memory);
    std::optional<Views<kBands, Pixel, true>> blurred;
    const int radius = math::blur_radius(extremes.max_sigma);
    if (radius > 0) blurred.emplace(batch, radius, memory);

    if (extremes.any_contrast) {
        SECO_CUDA_CHECK(cudaMemsetAsync(sums, 0, static_cast<size_t>(items) * sizeof(*sums), stream));
        grey_sum_kernel<kBands, Pixel><<<sum_blocks, kSumThreads, 0, stream>>>(batch, sums);
        SECO_CUDA_CHECK(cudaGetLastError());
    }
    if (sharp) sharp->launch(batch, sums, stream);
    if (blurred) blurred->launch(batch, sums, stream);
}

}  // namespace

void augment_views(const AugmentBatch& batch, const ViewExtremes& extremes, uint64_t* grey_sums,
                   void* stream) {
    if (batch.locations == 0 || batch.views == 0) return;
    auto* on = static_cast<cudaStream_t>(stream);
    const bool bytes = batch.pixel_type == PixelType::kUint8;
    if (batch.bands == 3)
        return bytes ? launch<3, uint8_t>(batch, extremes, grey_sums, on)
                     : launch<3, uint16_t>(batch, extremes, grey_sums, on);
    bytes ? launch<0, uint8_t>(batch, extremes, grey_sums, on)
          : launch<0, uint16_t>(batch, extremes, grey_sums, on);
}

}  // namespace seco::cuda
