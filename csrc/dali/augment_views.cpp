// fn.seco.augment_views on DALI's thread pool: the library's own views.
#include "cpu/augment.hpp"
#include "dali/view_arguments.hpp"

namespace seco::dali_ops {

using dali::CPUBackend;

class AugmentViews : public dali::Operator<CPUBackend> {
  public:
    explicit AugmentViews(const dali::OpSpec& spec) : Operator(spec), arguments_(spec) {}

  protected:
    bool SetupImpl(std::vector<dali::OutputDesc>& outputs, const dali::Workspace& ws) override {
        const auto& pixels = ws.Input<CPUBackend>(0);
        const auto& params = ws.Input<CPUBackend>(1);
        batches_.clear();
        dali::TensorListShape<> shape(pixels.num_samples(), 4);
        for (int i = 0; i < pixels.num_samples(); ++i) {
            batches_.push_back(arguments_.describe(pixels.tensor_shape(i), pixels.type(), params, i));
            batches_.back().pixels = pixels.raw_tensor(i);
            shape.set_tensor_shape(i, arguments_.shape(batches_.back()));
        }
        outputs.push_back({shape, arguments_.type()});
        return true;
    }

    void RunImpl(dali::Workspace& ws) override {
        auto& out = ws.Output<CPUBackend>(0);
        auto& pool = ws.GetThreadPool();
        for (int i = 0; i < out.num_samples(); ++i) {
            AugmentBatch batch = batches_[static_cast<size_t>(i)];
            batch.out = out.raw_mutable_tensor(i);
            pool.AddWork([batch](int) { cpu::augment_views(batch, 1); });
        }
        pool.RunAll();
        out.SetLayout("FHWC");
    }

  private:
    const ViewArguments arguments_;
    std::vector<AugmentBatch> batches_;  // of one location each
};

}  // namespace seco::dali_ops

DALI_REGISTER_OPERATOR(seco__AugmentViews, ::seco::dali_ops::AugmentViews, ::dali::CPU);
