#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings/bindings.hpp"
#include "common/stages.hpp"

namespace seco::bindings {
namespace {

// Read, decompress, unpredict, views in nanoseconds; bytes read, bytes decoded; files decoded again.
std::vector<int64_t> totals() {
    const StageTotals& all = stage_totals();
    std::vector<int64_t> out(all.nanoseconds.begin(), all.nanoseconds.end());
    out.push_back(all.bytes_read);
    out.push_back(all.bytes_decoded);
    out.push_back(all.files_decoded_again);
    return out;
}

}  // namespace

void bind_build_info(pybind11::module_& m) {
    m.attr("__version__") = SECO_VERSION;
    std::vector<std::string> codecs{"none", "lzw"};
#ifdef SECO_WITH_DEFLATE
    codecs.push_back("deflate");
#endif
#ifdef SECO_WITH_ZSTD
    codecs.push_back("zstd");
#endif
    m.attr("codecs") = codecs;
    m.attr("dali_version") = SECO_DALI_VERSION;  // for which the plugin is built; empty: there is none
#ifdef SECO_WITH_CUDA
    m.attr("built_with_cuda") = true;
    m.attr("cuda_architectures") = SECO_CUDA_ARCHITECTURES;
#else
    m.attr("built_with_cuda") = false;
    m.attr("cuda_architectures") = "";
#endif
    m.def("stage_totals", &totals);
}

}  // namespace seco::bindings
