// What loading costs: time that threads spend in each stage, and bytes. Each module counts its own.
#pragma once

#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace seco {

enum class Stage { kRead, kDecompress, kUnpredict, kViews };
constexpr int kStages = 4;

struct StageTotals {
    std::array<std::atomic<int64_t>, kStages> nanoseconds{};  // on a core
    std::atomic<int64_t> bytes_read{0}, bytes_decoded{0};
    std::atomic<int64_t> files_decoded_again{0};  // on the CPU, for they failed a check on the GPU
    std::atomic<int64_t> waited{0};               // nanoseconds of reading that were not on a core
};

inline StageTotals& stage_totals() {
    static StageTotals totals;
    return totals;
}

// Read, decompress, unpredict, views in nanoseconds on a core; bytes read, bytes decoded; files decoded
// again; nanoseconds that reading waited.
constexpr int kTotals = kStages + 4;

inline void copy_totals(int64_t* out) {
    const StageTotals& all = stage_totals();
    for (const auto& total : all.nanoseconds) *out++ = total;
    *out++ = all.bytes_read;
    *out++ = all.bytes_decoded;
    *out++ = all.files_decoded_again;
    *out++ = all.waited;
}

inline int64_t nanoseconds_of(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return int64_t{1'000'000'000} * time.tv_sec + time.tv_nsec;
}

// Counts the time until its end: that on a core, for where there are more threads than cores a stage would
// hold the work of others, and of reading the rest too, which is the disk's.
class StageTimer {
  public:
    explicit StageTimer(Stage stage) : stage_(stage), on_core_(nanoseconds_of(CLOCK_THREAD_CPUTIME_ID)) {
        if (stage == Stage::kRead) start_ = nanoseconds_of(CLOCK_MONOTONIC);
    }
    StageTimer(const StageTimer&) = delete;
    StageTimer& operator=(const StageTimer&) = delete;
    ~StageTimer() {
        StageTotals& all = stage_totals();
        const int64_t spent = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) - on_core_;
        all.nanoseconds[static_cast<size_t>(stage_)].fetch_add(spent, std::memory_order_relaxed);
        if (stage_ == Stage::kRead)
            all.waited.fetch_add(nanoseconds_of(CLOCK_MONOTONIC) - start_ - spent, std::memory_order_relaxed);
    }

  private:
    Stage stage_;
    int64_t on_core_, start_ = 0;
};

// The same for stages that take turns: how long a thread was on a core costs a call of the system to know,
// more than some strips take. So each turn is timed by the clock on the wall, and counts by the share of all
// of them that was on a core.
class StageLaps {
  public:
    StageLaps()
        : on_core_(nanoseconds_of(CLOCK_THREAD_CPUTIME_ID)),
          start_(nanoseconds_of(CLOCK_MONOTONIC)),
          last_(start_) {}
    StageLaps(const StageLaps&) = delete;
    StageLaps& operator=(const StageLaps&) = delete;
    ~StageLaps() {
        // The rest, that of a block that failed, is of no stage.
        const int64_t spent = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) - on_core_;
        const int64_t passed = std::max<int64_t>(1, nanoseconds_of(CLOCK_MONOTONIC) - start_);
        const double share = static_cast<double>(spent) / static_cast<double>(passed);
        for (size_t stage = 0; stage < laps_.size(); ++stage)
            stage_totals().nanoseconds[stage].fetch_add(
                static_cast<int64_t>(share * static_cast<double>(laps_[stage])), std::memory_order_relaxed);
    }

    // What was done since the lap before was of this stage.
    void lap(Stage stage) {
        const int64_t time = nanoseconds_of(CLOCK_MONOTONIC);
        laps_[static_cast<size_t>(stage)] += time - last_;
        last_ = time;
    }

  private:
    std::array<int64_t, kStages> laps_{};
    int64_t on_core_, start_, last_;
};

}  // namespace seco
