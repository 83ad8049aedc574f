// What loading costs: time that threads spend in each stage, and bytes. Each module counts its own.
#pragma once

#include <time.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace seco {

enum class Stage { kRead, kDecompress, kUnpredict, kViews };
constexpr int kStages = 4;

struct StageTotals {
    std::array<std::atomic<int64_t>, kStages> nanoseconds{};
    std::atomic<int64_t> bytes_read{0}, bytes_decoded{0};
    std::atomic<int64_t> files_decoded_again{0};  // on the CPU, for they failed a check on the GPU
};

inline StageTotals& stage_totals() {
    static StageTotals totals;
    return totals;
}

// Read, decompress, unpredict, views in nanoseconds; bytes read, bytes decoded; files decoded again.
constexpr int kTotals = kStages + 3;

inline void copy_totals(int64_t* out) {
    const StageTotals& all = stage_totals();
    for (const auto& total : all.nanoseconds) *out++ = total;
    *out++ = all.bytes_read;
    *out++ = all.bytes_decoded;
    *out++ = all.files_decoded_again;
}

// Counts the time until its end: on a core, for where there are more threads than cores a stage would hold
// the work of others; but reading waits for the disk, which is what it costs.
class StageTimer {
  public:
    explicit StageTimer(Stage stage) : stage_(stage), start_(now()) {}
    StageTimer(const StageTimer&) = delete;
    StageTimer& operator=(const StageTimer&) = delete;
    ~StageTimer() {
        auto& total = stage_totals().nanoseconds[static_cast<size_t>(stage_)];
        total.fetch_add(now() - start_, std::memory_order_relaxed);
    }

  private:
    int64_t now() const {
        timespec time{};
        clock_gettime(stage_ == Stage::kRead ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
        return int64_t{1'000'000'000} * time.tv_sec + time.tv_nsec;
    }

    Stage stage_;
    int64_t start_;
};

}  // namespace seco
