// fn.seco.read_range: files, or ranges of files such as members of a tar, in the order that the caller gives.
#include <dali/pipeline/operator/operator.h>

#include <string>

#include "common/error.hpp"
#include "common/stages.hpp"
#include "geotiff/source.hpp"

DALI_SCHEMA(seco__ReadRange)
    .DocStr(R"(Reads ranges of files.

Takes paths, uint8 [n] of UTF-8, and ranges, int64 [2]: first byte and length, or 0 and -1 for a whole file. Gives the bytes,
uint8 [length]; a range that cannot be read gives none, which fn.seco.decode_geotiff refuses or flags.)")
    .NumInput(2)
    .NumOutput(1);

namespace seco::dali_ops {

using dali::CPUBackend;

class ReadRange : public dali::Operator<CPUBackend> {
  public:
    using Operator::Operator;

    bool HasContiguousOutputs() const override { return false; }

  protected:
    bool SetupImpl(std::vector<dali::OutputDesc>&, const dali::Workspace&) override { return false; }

    void RunImpl(dali::Workspace& ws) override {
        const auto& paths = ws.Input<CPUBackend>(0);
        const auto& ranges = ws.Input<CPUBackend>(1);
        if (paths.type() != DALI_UINT8 || ranges.type() != DALI_INT64)
            throw std::invalid_argument("paths, ranges: expected uint8 and int64, got other types");
        const int samples = paths.num_samples();
        bytes_.resize(static_cast<size_t>(samples));
        auto& pool = ws.GetThreadPool();
        for (int i = 0; i < samples; ++i) {
            const std::string path(static_cast<const char*>(paths.raw_tensor(i)),
                                   static_cast<size_t>(paths.tensor_shape(i).num_elements()));
            if (ranges.tensor_shape(i).num_elements() != 2)
                throw std::invalid_argument("ranges: expected [2], got another shape");
            const auto* range = ranges.tensor<int64_t>(i);
            pool.AddWork([this, i, path, begin = range[0], length = range[1]](int) {
                read(path, begin, length, bytes_[static_cast<size_t>(i)]);
            });
        }
        pool.RunAll();
        dali::TensorListShape<> shape(samples, 1);
        for (int i = 0; i < samples; ++i)
            shape.set_tensor_shape(i, {static_cast<int64_t>(bytes_[static_cast<size_t>(i)].size())});
        auto& out = ws.Output<CPUBackend>(0);
        out.Resize(shape, DALI_UINT8);
        for (int i = 0; i < samples; ++i) {
            const auto& of_sample = bytes_[static_cast<size_t>(i)];
            std::copy(of_sample.begin(), of_sample.end(), static_cast<uint8_t*>(out.raw_mutable_tensor(i)));
            dali::DALIMeta meta;
            meta.SetSourceInfo(std::string(static_cast<const char*>(paths.raw_tensor(i)),
                                           static_cast<size_t>(paths.tensor_shape(i).num_elements())));
            out.SetMeta(i, meta);
        }
    }

  private:
    static void read(const std::string& path, int64_t begin, int64_t length, std::vector<uint8_t>& bytes) {
        const StageTimer timer(Stage::kRead);
        bytes.clear();
        try {
            if (length < 0) {
                const geotiff::Source whole(path);
                bytes.resize(whole.size());
                whole.read(0, bytes.size(), bytes.data());
                return;
            }
            const geotiff::Source slice(path, static_cast<uint64_t>(begin), static_cast<uint64_t>(length));
            bytes.resize(static_cast<size_t>(length));
            slice.read(0, bytes.size(), bytes.data());
        } catch (const GeoTiffError&) {
            bytes.clear();
        }
    }

    std::vector<std::vector<uint8_t>> bytes_;
};

}  // namespace seco::dali_ops

DALI_REGISTER_OPERATOR(seco__ReadRange, ::seco::dali_ops::ReadRange, ::dali::CPU);
