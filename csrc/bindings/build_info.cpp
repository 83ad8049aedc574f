#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings/bindings.hpp"
#include "common/stages.hpp"

namespace seco::bindings {
namespace {

std::vector<int64_t> totals() {
    std::vector<int64_t> out(kTotals);
    copy_totals(out.data());
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
