// One function a file: each adds its operation to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace seco::bindings {

// Lets other Python threads run meanwhile. Until Python 3.13 a daemon thread that asks for the lock back
// after the interpreter has ended is unwound here, which pybind11's own, whose destructor may not throw,
// makes an abort of.
class WithoutGil {
  public:
    WithoutGil() : state_(PyEval_SaveThread()) {}
    ~WithoutGil() noexcept(false) { PyEval_RestoreThread(state_); }
    WithoutGil(const WithoutGil&) = delete;
    WithoutGil& operator=(const WithoutGil&) = delete;

  private:
    PyThreadState* state_;
};

void bind_build_info(pybind11::module_& m);
void bind_random(pybind11::module_& m);
void bind_augment(pybind11::module_& m);
void bind_geotiff(pybind11::module_& m);

}  // namespace seco::bindings
