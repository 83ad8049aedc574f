// The plugin's own counters, for seco.profiling.
#include "common/stages.hpp"

extern "C" __attribute__((visibility("default"))) void seco_stage_totals(int64_t* out) {
    seco::copy_totals(out);
}
