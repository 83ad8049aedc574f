// Runs the kernels of csrc/cuda/augment.cu on the CPU, thread by thread: the same functions, phases and
// shared memory. Built and called by tests/kernels, not part of the module.
#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>
#include <vector>

#include "cuda/augment.hpp"
#include "cuda/grey_sum.hpp"
#include "cuda/view_tile.hpp"
#include "math/half.hpp"

namespace seco::cuda {
namespace {

struct HostRounding {
    static uint16_t to_half(float x) { return math::to_half(x); }
    static uint16_t to_bfloat16(float x) { return math::to_bfloat16(x); }
};

// Shared memory of one block: begins as NaN, which shows whatever is read before it is written, and ends in a
// guard that must stay as it is.
class SharedMemory {
  public:
    explicit SharedMemory(int64_t bytes)
        : used_(static_cast<size_t>(bytes / 4)),
          units_((used_ + kGuard) / 4 + 1),
          floats_(units_.front().floats) {
        std::fill_n(floats_, used_ + kGuard, std::numeric_limits<float>::quiet_NaN());
        std::fill_n(floats_ + used_, kGuard, kMark);
    }
    float* data() { return floats_; }
    void check() const {
        if (!std::all_of(floats_ + used_, floats_ + used_ + kGuard, [](float x) { return x == kMark; }))
            throw ArrayError("shared memory: expected nothing behind its end, got a value");
    }

  private:
    static constexpr size_t kGuard = 4096;
    static constexpr float kMark = 12345.0f;
    struct alignas(kAlignment) Unit {
        float floats[4];
    };
    size_t used_;
    std::vector<Unit> units_;
    float* floats_;
};

// Shared memory of a block, bytes: as a rule, and at the most.
struct Limits {
    int64_t shared, most;
};

// Threads of a block between two barriers. In which order they run must not matter.
template <typename Phase>
void run(int threads, bool backwards, const Phase& phase) {
    for (int t = 0; t < threads; ++t) phase(backwards ? threads - 1 - t : t);
}

template <int kBands, typename Pixel>
void sum_greys(const AugmentBatch& batch, std::vector<uint64_t>& sums) {
    using Part = GreySum<kBands, Pixel>;
    std::vector<float> scratch(kMaxBands * kSumThreads);
    for (int64_t block = 0; block < batch.locations * batch.views * Part::count_parts(batch); ++block) {
        const Part part(batch, scratch.data(), block);
        if (!part.needed()) continue;
        for (int t = 0; t < kSumThreads; ++t) sums[static_cast<size_t>(part.item())] += part.add_up(t);
    }
}

template <int kBands, typename Pixel, bool kBlurs>
void make_views(const AugmentBatch& batch, int radius, const Limits& limits, bool backwards,
                const std::vector<uint64_t>& sums) {
    const ViewPlan plan(batch, radius, limits.shared, limits.most);
    for (int64_t block = 0; block < plan.blocks(batch); ++block) {
        SharedMemory shared(plan.shared_bytes);
        const ViewTile<kBands, Pixel, kBlurs, HostRounding> tile(batch, plan, sums.data(), shared.data(),
                                                                 static_cast<uint32_t>(block));
        if (!tile.is_made()) continue;
        tile.make([&](const auto& work) { run(plan.threads, backwards, work); });
        shared.check();
    }
}

template <int kBands, typename Pixel>
void emulate(const AugmentBatch& batch, float max_sigma, const Limits& limits, bool backwards) {
    std::vector<uint64_t> sums(static_cast<size_t>(batch.locations * batch.views));
    sum_greys<kBands, Pixel>(batch, sums);
    make_views<kBands, Pixel, false>(batch, 0, limits, backwards, sums);
    const int radius = math::blur_radius(max_sigma);
    if (radius > 0) make_views<kBands, Pixel, true>(batch, radius, limits, backwards, sums);
}

}  // namespace
}  // namespace seco::cuda

extern "C" int64_t seco_batch_bytes() { return sizeof(seco::AugmentBatch); }

// Returns null, or what went wrong; valid until the next call.
extern "C" const char* seco_emulate_views(const seco::AugmentBatch* batch, float max_sigma,
                                          int64_t shared_limit, int64_t shared_most, bool backwards) {
    using namespace seco::cuda;
    const Limits limits{shared_limit, shared_most};
    static std::string message;
    try {
        const bool bytes = batch->pixel_type == seco::PixelType::kUint8;
        if (batch->bands == 3)
            (bytes ? emulate<3, uint8_t> : emulate<3, uint16_t>)(*batch, max_sigma, limits, backwards);
        else
            (bytes ? emulate<0, uint8_t> : emulate<0, uint16_t>)(*batch, max_sigma, limits, backwards);
        return nullptr;
    } catch (const std::exception& error) {
        message = error.what();
        return message.c_str();
    }
}
