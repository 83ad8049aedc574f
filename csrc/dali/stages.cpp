// The plugin's own counters, for seco.profiling.
#include "common/stages.hpp"

extern "C" __attribute__((visibility("default"))) void seco_stage_totals(int64_t* out) {
    const seco::StageTotals& all = seco::stage_totals();
    for (const auto& total : all.nanoseconds) *out++ = total;
    *out++ = all.bytes_read;
    *out++ = all.bytes_decoded;
    *out++ = all.files_decoded_again;
}
