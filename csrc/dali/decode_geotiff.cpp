// fn.seco.decode_geotiff on DALI's thread pool: the library's own decoder.
#include "dali/geotiff_batch.hpp"

namespace seco::dali_ops {

using dali::CPUBackend;

class DecodeGeotiff : public dali::Operator<CPUBackend> {
  public:
    explicit DecodeGeotiff(const dali::OpSpec& spec) : Operator(spec), batch_(spec) {}

  protected:
    bool SetupImpl(std::vector<dali::OutputDesc>& outputs, const dali::Workspace& ws) override {
        batch_.parse(ws, on_threads_of(ws));
        outputs = batch_.outputs();
        return true;
    }

    void RunImpl(dali::Workspace& ws) override {
        auto& pixels = ws.Output<CPUBackend>(0);
        std::vector<File>& files = batch_.files();
        const int dates = batch_.dates();
        on_threads_of(ws)(static_cast<int64_t>(files.size()), [&](int64_t f) {
            File& file = files[static_cast<size_t>(f)];
            auto* out = static_cast<uint8_t*>(pixels.raw_mutable_tensor(static_cast<int>(f / dates))) +
                        f % dates * batch_.file_bytes();
            batch_.decode(file, out);
            if (!file.wrong.empty()) std::fill_n(out, batch_.file_bytes(), uint8_t{0});
        });
        pixels.SetLayout(batch_.layout());
        if (!batch_.flag()) batch_.refuse_wrong();
        int next = 1;
        std::vector<double> places(files.size() * 7);
        if (batch_.georeference()) {
            batch_.write_places(places.data());
            scatter(places.data(), ws.Output<CPUBackend>(next++));
        }
        const std::unique_ptr<bool[]> flags(new bool[files.size()]);
        if (batch_.flag()) {
            batch_.write_flags(flags.get());
            scatter(flags.get(), ws.Output<CPUBackend>(next));
        }
    }

  private:
    static ForEach on_threads_of(const dali::Workspace& ws) {
        return [&pool = ws.GetThreadPool()](int64_t count, const std::function<void(int64_t)>& body) {
            for (int64_t i = 0; i < count; ++i) pool.AddWork([&body, i](int) { body(i); });
            pool.RunAll();
        };
    }

    template <typename Value>
    static void scatter(const Value* from, dali::TensorList<CPUBackend>& to) {
        for (int i = 0; i < to.num_samples(); ++i) {
            const auto count = to.tensor_shape(i).num_elements();
            std::copy_n(from, count, to.mutable_tensor<Value>(i));
            from += count;
        }
    }

    GeotiffBatch batch_;
};

}  // namespace seco::dali_ops

DALI_REGISTER_OPERATOR(seco__DecodeGeotiff, ::seco::dali_ops::DecodeGeotiff, ::dali::CPU);
