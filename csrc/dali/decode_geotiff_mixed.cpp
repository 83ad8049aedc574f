// fn.seco.decode_geotiff from the CPU to the GPU: headers here, blocks there.
#include <dali/kernels/dynamic_scratchpad.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "common/stages.hpp"
#include "cpu/parallel_for.hpp"
#include "cuda/check.cuh"
#include "cuda/decode_geotiff.hpp"
#include "dali/geotiff_batch.hpp"

namespace seco::dali_ops {

using dali::GPUBackend;
namespace mm = dali::mm;

class DecodeGeotiffMixed : public dali::Operator<dali::MixedBackend> {
  public:
    explicit DecodeGeotiffMixed(const dali::OpSpec& spec) : Operator(spec), batch_(spec) {}

  protected:
    bool SetupImpl(std::vector<dali::OutputDesc>& outputs, const dali::Workspace& ws) override {
        batch_.parse(ws, [this](int64_t count, const std::function<void(int64_t)>& body) {
            cpu::parallel_for(count, num_threads_, body);
        });
        outputs = batch_.outputs();
        return true;
    }

    void RunImpl(dali::Workspace& ws) override {
        auto& pixels = ws.Output<GPUBackend>(0);
        find_places(pixels);
        while (!decode(ws.stream())) {
        }  // again without a file that cannot even be staged
        clear_wrong(ws.stream());
        pixels.SetLayout(batch_.layout());
        if (!batch_.flag()) batch_.refuse_wrong();
        int next = 1;
        Memory memory{dali::AccessOrder(ws.stream())};
        const size_t files = batch_.files().size();
        if (batch_.georeference()) {
            auto* places = on_host<double>(memory, files * 7);
            batch_.write_places(places);
            send(places, files * 7, ws.Output<GPUBackend>(next++), ws.stream());
        }
        if (batch_.flag()) {
            auto* flags = on_host<bool>(memory, files);
            batch_.write_flags(flags);
            send(flags, files, ws.Output<GPUBackend>(next), ws.stream());
        }
    }

  private:
    using Memory = dali::kernels::DynamicScratchpad;

    template <typename Value>
    static Value* on_host(Memory& memory, size_t count) {
        return memory.Allocate<mm::memory_kind::pinned, Value>(count, kAlignment);
    }

    static uint8_t* on_device(Memory& memory, size_t bytes) {
        return memory.Allocate<mm::memory_kind::device, uint8_t>(bytes, kAlignment);
    }

    // In one piece of each kind: a scratchpad that grows by itself doubles.
    static Memory::scratch_sizes_t sizes(size_t pinned, size_t device) {
        Memory::scratch_sizes_t all{};
        all[static_cast<size_t>(mm::memory_kind_id::pinned)] = pinned + 2 * kAlignment;
        all[static_cast<size_t>(mm::memory_kind_id::device)] = device + 2 * kAlignment;
        return all;
    }

    void find_places(dali::TensorList<GPUBackend>& pixels) {
        places_.clear();
        for (int i = 0; i < pixels.num_samples(); ++i)
            for (int t = 0; t < batch_.dates(); ++t)
                places_.push_back(static_cast<uint8_t*>(pixels.raw_mutable_tensor(i)) +
                                  t * batch_.file_bytes());
    }

    // False if a file turned out wrong before anything was sent to the GPU.
    bool decode(cudaStream_t stream) {
        std::vector<const geotiff::Image*> images;
        for (const File& file : batch_.files()) images.push_back(file.wrong.empty() ? &file.image : nullptr);
        const cuda::Staging staging(std::move(images), batch_.bands());
        if (staging.chunks.empty()) return true;
        const size_t head = cuda::Tables::bytes(staging), bytes = head + staging.staged_bytes;
        const size_t scratch_bytes = cuda::DecodeScratch::bytes(staging);
        Memory memory(dali::AccessOrder(stream), {}, {},
                      sizes(bytes + staging.compressed(), bytes + scratch_bytes));
        auto* host = on_host<uint8_t>(memory, bytes);
        auto* device = on_device(memory, bytes);
        const cuda::DecodeScratch scratch(staging, on_device(memory, scratch_bytes));
        const cuda::Places places{device + head, scratch.decoded, places_};
        const std::optional<uint64_t> zstd_blocks =
            stage_files(staging, host + head, places, cuda::host_tables(host, staging));
        if (!zstd_blocks) return false;

        const size_t temporary_bytes = cuda::nvcomp_temporary_bytes(staging, *zstd_blocks);
        Memory more(dali::AccessOrder(stream), {}, {}, sizes(0, temporary_bytes));
        const cuda::Temporary temporary{on_device(more, temporary_bytes), temporary_bytes};
        const cuda::Planes planes{batch_.sample_bytes(), batch_.shape().height, batch_.shape().width};
        SECO_CUDA_CHECK(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream));
        cuda::decode_geotiff(staging, cuda::Tables(device, staging), scratch, temporary, planes, stream);
        auto* whole = on_host<bool>(memory, staging.compressed());
        if (staging.compressed())
            SECO_CUDA_CHECK(
                cudaMemcpyAsync(whole, scratch.whole, staging.compressed(), cudaMemcpyDeviceToHost, stream));
        SECO_CUDA_CHECK(cudaStreamSynchronize(stream));
        decode_again(staging, whole, stream);
        return true;
    }

    // Blocks of all ZSTD frames; nothing if a file turned out wrong.
    std::optional<uint64_t> stage_files(const cuda::Staging& staging, uint8_t* staged,
                                        const cuda::Places& places, const cuda::Tables& tables) {
        std::atomic<bool> all{true};
        std::atomic<uint64_t> zstd_blocks{0};
        cpu::parallel_for(static_cast<int64_t>(staging.images.size()), num_threads_, [&](int64_t f) {
            File& file = batch_.files()[static_cast<size_t>(f)];
            const geotiff::Source source(file.bytes, file.size);
            try {
                zstd_blocks +=
                    cuda::stage_file(source, staging, static_cast<size_t>(f), staged, places, tables);
            } catch (const GeoTiffError& error) {
                file.wrong = error.what();
                all = false;
            }
        });
        return all ? std::optional<uint64_t>(zstd_blocks) : std::nullopt;
    }

    // The CPU has the last word on files that failed on the GPU: it says why, or decodes them.
    void decode_again(const cuda::Staging& staging, const bool* whole, cudaStream_t stream) {
        std::vector<size_t> failed;
        for (size_t f = 0; f < staging.images.size(); ++f) {
            const size_t first = staging.first_of_file[f],
                         end = std::min(first + staging.chunks_of_file[f], staging.compressed());
            if (first < end && !std::all_of(whole + first, whole + end, [](bool each) { return each; }))
                failed.push_back(f);
        }
        int device = 0;
        SECO_CUDA_CHECK(cudaGetDevice(&device));
        cpu::parallel_for(static_cast<int64_t>(failed.size()), num_threads_, [&](int64_t i) {
            const size_t f = failed[static_cast<size_t>(i)];
            std::vector<uint8_t> pixels(static_cast<size_t>(batch_.file_bytes()));
            batch_.decode(batch_.files()[f], pixels.data());
            SECO_CUDA_CHECK(cudaSetDevice(device));  // of this thread
            SECO_CUDA_CHECK(
                cudaMemcpyAsync(places_[f], pixels.data(), pixels.size(), cudaMemcpyHostToDevice, stream));
            SECO_CUDA_CHECK(cudaStreamSynchronize(stream));
        });
        stage_totals().files_decoded_again.fetch_add(static_cast<int64_t>(failed.size()),
                                                     std::memory_order_relaxed);
    }

    // Files that are wrong hold zeros.
    void clear_wrong(cudaStream_t stream) {
        for (size_t f = 0; f < places_.size(); ++f)
            if (!batch_.files()[f].wrong.empty())
                SECO_CUDA_CHECK(
                    cudaMemsetAsync(places_[f], 0, static_cast<size_t>(batch_.file_bytes()), stream));
    }

    // An operator's outputs lie in one piece.
    template <typename Value>
    static void send(const Value* from, size_t count, dali::TensorList<GPUBackend>& to, cudaStream_t stream) {
        SECO_CUDA_CHECK(cudaMemcpyAsync(to.raw_mutable_tensor(0), from, count * sizeof(Value),
                                        cudaMemcpyHostToDevice, stream));
    }

    static constexpr size_t kAlignment = 256;

    GeotiffBatch batch_;
    std::vector<uint8_t*> places_;  // of the files' pixels on the device
};

}  // namespace seco::dali_ops

DALI_REGISTER_OPERATOR(seco__DecodeGeotiff, ::seco::dali_ops::DecodeGeotiffMixed, ::dali::Mixed);
