#include "cuda/nvcomp.hpp"

#include <dlfcn.h>
#include <nvcomp/deflate.h>
#include <nvcomp/version.h>
#include <nvcomp/zstd.h>

#include <algorithm>
#include <string>

#include "common/error.hpp"
#include "cuda/zstd_frame.hpp"

#define SECO_TEXT_OF(macro) #macro
#define SECO_TEXT(macro) SECO_TEXT_OF(macro)

namespace seco::cuda {
namespace {

static_assert(sizeof(nvcompStatus_t) == sizeof(int), "statuses are read as int");

class NvComp {
  public:
    static const NvComp& get() {
        static const NvComp instance;
        return instance;
    }

    decltype(&nvcompBatchedDeflateDecompressGetTempSizeAsync) deflate_size;
    decltype(&nvcompBatchedDeflateDecompressAsync) deflate;
    decltype(&nvcompBatchedZstdDecompressGetTempSizeAsync) zstd_size;
    decltype(&nvcompBatchedZstdDecompressAsync) zstd;

  private:
    NvComp() : library_(dlopen(kName, RTLD_NOW | RTLD_LOCAL)) {
        if (!library_)
            throw DeviceError(std::string("nvCOMP: expected ") + kName + ", got: " + dlerror() +
                              "; pip install nvidia-libnvcomp-cu13");
        find("nvcompBatchedDeflateDecompressGetTempSizeAsync", deflate_size);
        find("nvcompBatchedDeflateDecompressAsync", deflate);
        find("nvcompBatchedZstdDecompressGetTempSizeAsync", zstd_size);
        find("nvcompBatchedZstdDecompressAsync", zstd);
    }

    template <typename Function>
    void find(const char* name, Function& function) {
        function = reinterpret_cast<Function>(dlsym(library_, name));
        if (!function)
            throw DeviceError(std::string("nvCOMP: expected ") + name + " in " + kName +
                              ", got none; pip install nvidia-libnvcomp-cu13 as DALI asks for it");
    }

    static constexpr const char* kName = "libnvcomp.so." SECO_TEXT(NVCOMP_VER_MAJOR);
    void* library_;  // never closed: kernels may be running
};

void check(nvcompStatus_t status, const char* what) {
    if (status != nvcompSuccess)
        throw DeviceError(std::string("nvCOMP: expected to ") + what + ", got status " +
                          std::to_string(static_cast<int>(status)));
}

}  // namespace

size_t nvcomp_temporary_bytes(const Staging& staging, uint64_t zstd_blocks) {
    if (staging.compressed() == 0) return 0;
    size_t most = 0;
    const auto ask = [&](Group group, const auto& size_of, const auto& options, uint64_t total) {
        if (staging.count(group) == 0) return;
        size_t bytes = 0;
        check(size_of(staging.count(group), staging.largest[group], options, &bytes, total),
              "say what memory it needs");
        most = std::max(most, bytes);
    };
    const NvComp& nvcomp = NvComp::get();
    ask(kDeflateGroup, nvcomp.deflate_size, nvcompBatchedDeflateDecompressDefaultOpts,
        staging.total[kDeflateGroup]);
    ask(kZstdGroup, nvcomp.zstd_size, nvcompBatchedZstdDecompressDefaultOpts,
        zstd_bytes_told(staging.count(kZstdGroup), staging.total[kZstdGroup], zstd_blocks));
    return most;
}

void nvcomp_decompress(const Staging& staging, Group group, const Tables& tables, const Temporary& temporary,
                       size_t* written, int* statuses, void* stream) {
    const NvComp& nvcomp = NvComp::get();
    const size_t first = staging.first[group], count = staging.count(group);
    auto* result = reinterpret_cast<nvcompStatus_t*>(statuses + first);
    auto* on = static_cast<cudaStream_t>(stream);
    const auto launch = [&](const auto& decompress, const auto& options) {
        return decompress(tables.compressed + first, tables.compressed_bytes + first, tables.room + first,
                          written + first, count, temporary.memory, temporary.bytes, tables.decoded + first,
                          options, result, on);
    };
    check(group == kDeflateGroup ? launch(nvcomp.deflate, nvcompBatchedDeflateDecompressDefaultOpts)
                                 : launch(nvcomp.zstd, nvcompBatchedZstdDecompressDefaultOpts),
          "start");
}

}  // namespace seco::cuda
