// A tensor that another library lends through DLPack, for as long as the object lives.
// Source: DLPack's C structure, version 0.x ("dltensor" capsules), which torch makes when no version is asked
// for.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>

#include "common/error.hpp"

namespace seco::bindings {

class LentTensor {
  public:
    explicit LentTensor(const pybind11::capsule& capsule) {
        managed_ = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
        if (!managed_) throw pybind11::error_already_set();
        PyCapsule_SetName(capsule.ptr(), "used_dltensor");  // ours to delete from now on
    }
    LentTensor(const LentTensor&) = delete;
    LentTensor& operator=(const LentTensor&) = delete;
    ~LentTensor() {
        if (managed_->deleter) managed_->deleter(managed_);
    }

    void* data() const { return static_cast<char*>(managed_->tensor.data) + managed_->tensor.byte_offset; }
    int64_t shape(int axis) const { return managed_->tensor.shape[axis]; }
    int rank() const { return managed_->tensor.rank; }
    int bits() const { return managed_->tensor.type.bits; }
    bool on_cuda() const { return managed_->tensor.device.kind == 2; }

  private:
    struct Device {
        int32_t kind, index;
    };
    struct Type {
        uint8_t code, bits;
        uint16_t lanes;
    };
    struct Tensor {
        void* data;
        Device device;
        int32_t rank;
        Type type;
        int64_t* shape;
        int64_t* strides;
        uint64_t byte_offset;
    };
    struct Managed {
        Tensor tensor;
        void* context;
        void (*deleter)(Managed*);
    };

    Managed* managed_;
};

}  // namespace seco::bindings
