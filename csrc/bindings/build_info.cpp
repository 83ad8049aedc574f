#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings/bindings.hpp"

namespace seco::bindings {

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
}

}  // namespace seco::bindings
