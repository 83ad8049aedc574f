#include "common/sample_type.hpp"
#include "cuda/check.cuh"
#include "cuda/decode_geotiff.hpp"
#include "cuda/layout.hpp"
#include "cuda/unpack.hpp"

namespace seco::cuda {
namespace {

constexpr unsigned kAllLanes = 0xffffffffu;

struct DeviceWarp {
    template <typename Value>
    struct Lanes {
        Value value;
        SECO_HOST_DEVICE Value& operator[](int) { return value; }
    };

    template <typename Body>
    __device__ void each(const Body& body) const {
        body(static_cast<int>(threadIdx.x % kWarp));
    }

    // Each lane becomes the sum of `before` and all lanes up to it; returns the last.
    template <typename Value>
    __device__ Value add_up(Lanes<Value>& values, Value before) const {
        uint32_t sum = values.value;
        for (int step = 1; step < kWarp; step *= 2) {
            const uint32_t left = __shfl_up_sync(kAllLanes, sum, step);
            if (threadIdx.x % kWarp >= step) sum += left;
        }
        sum += before;
        values.value = static_cast<Value>(sum);
        return static_cast<Value>(__shfl_sync(kAllLanes, sum, kWarp - 1));
    }
};

// A block of threads for each chunk that nvCOMP decompressed; the first `deflated` have a checksum.
__global__ void __launch_bounds__(kUnpackThreads)
    check_kernel(const __grid_constant__ Tables tables, size_t deflated, const size_t* written,
                 const int* statuses, bool* whole) {
    __shared__ unsigned long long bytes, weighted;
    const size_t chunk = blockIdx.x;
    const size_t count = written[chunk];
    const bool fits = statuses[chunk] == 0 && count >= tables.needed[chunk] && count <= tables.room[chunk];
    if (!fits || chunk >= deflated) {
        if (threadIdx.x == 0) whole[chunk] = fits;
        return;
    }
    if (threadIdx.x == 0) bytes = weighted = 0;
    __syncthreads();
    const auto* data = static_cast<const uint8_t*>(tables.decoded[chunk]);
    math::AdlerSums sums = sum_bytes(data, count, static_cast<int>(threadIdx.x));
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
        sums.bytes += __shfl_down_sync(kAllLanes, sums.bytes, lanes);
        sums.weighted += __shfl_down_sync(kAllLanes, sums.weighted, lanes);
    }
    if (threadIdx.x % kWarp == 0) {
        atomicAdd(&bytes, static_cast<unsigned long long>(sums.bytes));
        atomicAdd(&weighted, static_cast<unsigned long long>(sums.weighted));
    }
    __syncthreads();
    if (threadIdx.x != 0) return;
    sums.bytes = bytes;
    sums.weighted = weighted;
    whole[chunk] = sums.checksum(count) == tables.checksums[chunk];
}

template <typename Value>
__global__ void __launch_bounds__(kUnpackThreads)
    unpack_kernel(const __grid_constant__ Tables tables, int64_t plane_samples, int64_t width) {
    unpack<Value>(tables.slabs[blockIdx.x], tables.bands, plane_samples, width,
                  static_cast<int>(threadIdx.x / kWarp), DeviceWarp{});
}

template <typename Value>
void launch_unpack(const Staging& staging, const Tables& tables, const Planes& planes, cudaStream_t stream) {
    const auto blocks = static_cast<unsigned>(staging.chunks.size());
    unpack_kernel<Value>
        <<<blocks, kUnpackThreads, 0, stream>>>(tables, planes.height * planes.width, planes.width);
    SECO_CUDA_CHECK(cudaGetLastError());
}

size_t lay_out(DecodeScratch& scratch, const Staging& staging, uint8_t* base) {
    Layout layout(base);
    scratch.decoded = layout.take<uint8_t>(staging.decoded_bytes);
    scratch.written = layout.take<size_t>(staging.compressed());
    scratch.statuses = layout.take<int>(staging.compressed());
    scratch.whole = layout.take<bool>(staging.compressed());
    return layout.used();
}

}  // namespace

DecodeScratch::DecodeScratch(const Staging& staging, uint8_t* base) { lay_out(*this, staging, base); }

size_t DecodeScratch::bytes(const Staging& staging) {
    DecodeScratch scratch(staging, nullptr);
    return lay_out(scratch, staging, nullptr);
}

void decode_geotiff(const Staging& staging, const Tables& tables, const DecodeScratch& scratch,
                    const Temporary& temporary, const Planes& planes, void* stream) {
    if (staging.chunks.empty()) return;
    auto* on = static_cast<cudaStream_t>(stream);
    if (staging.compressed()) {
        // What is not written counts as failed, whatever was there before.
        SECO_CUDA_CHECK(cudaMemsetAsync(scratch.written, 0, staging.compressed() * sizeof(size_t), on));
        SECO_CUDA_CHECK(cudaMemsetAsync(scratch.statuses, 0xff, staging.compressed() * sizeof(int), on));
        for (const Group group : {kDeflateGroup, kZstdGroup})
            if (staging.count(group))
                nvcomp_decompress(staging, group, tables, temporary, scratch.written, scratch.statuses,
                                  stream);
        const auto blocks = static_cast<unsigned>(staging.compressed());
        check_kernel<<<blocks, kUnpackThreads, 0, on>>>(tables, staging.count(kDeflateGroup), scratch.written,
                                                        scratch.statuses, scratch.whole);
        SECO_CUDA_CHECK(cudaGetLastError());
    }
    with_sample_type(planes.sample_bytes,
                     [&](auto sample) { launch_unpack<decltype(sample)>(staging, tables, planes, on); });
}

}  // namespace seco::cuda
