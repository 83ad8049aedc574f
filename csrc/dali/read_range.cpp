// fn.seco.read_range: files, or members of tar shards, as the bytes that fn.seco.decode_geotiff takes.
#include <dali/pipeline/operator/operator.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/stages.hpp"
#include "geotiff/tile.hpp"

DALI_SCHEMA(seco__ReadRange)
    .DocStr(R"(Reads files, or parts of files, such as members of tar shards.

Takes paths, uint8 [n], which NUL may fill up, and ranges, int64 [2]: first byte and length, which is negative for the whole
file. Gives uint8 [n]; nothing where the file cannot be read or is too short.)")
    .NumInput(2)
    .NumOutput(1)
    .AddOptionalArg("bands",
                    "Of a GeoTIFF whose blocks hold one band each, bytes of blocks of other bands are not "
                    "read, and hold anything; all are read if empty.",
                    std::vector<int>{});

namespace seco::dali_ops {
namespace {

using dali::CPUBackend;
using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;  // begin, end

// What lies between the blocks of unwanted bands.
Ranges wanted_ranges(const geotiff::Source& source, const std::vector<int>& bands) {
    Ranges unwanted, wanted;
    const geotiff::Image image = bands.empty() ? geotiff::Image{} : geotiff::parse(source);
    if (image.foreign.empty() && image.planar) {
        const auto blocks = static_cast<size_t>(blocks_of_plane(image));
        for (size_t i = 0; i < image.blocks.size(); ++i)
            if (std::find(bands.begin(), bands.end(), static_cast<int>(i / blocks)) == bands.end())
                unwanted.emplace_back(image.blocks[i].offset, image.blocks[i].offset + image.blocks[i].bytes);
    }
    std::sort(unwanted.begin(), unwanted.end());
    unwanted.emplace_back(source.size(), source.size());
    uint64_t begin = 0;
    for (const auto& [from, to] : unwanted) {
        if (from > begin) wanted.emplace_back(begin, from);
        begin = std::max(begin, to);
    }
    return wanted;
}

}  // namespace

class ReadRange : public dali::Operator<CPUBackend> {
  public:
    explicit ReadRange(const dali::OpSpec& spec)
        : Operator(spec), bands_(spec.GetRepeatedArgument<int>("bands")) {}

  protected:
    bool SetupImpl(std::vector<dali::OutputDesc>& outputs, const dali::Workspace& ws) override {
        const auto& paths = ws.Input<CPUBackend>(0);
        const auto& ranges = ws.Input<CPUBackend>(1);
        if (paths.type() != DALI_UINT8 || ranges.type() != DALI_INT64)
            throw std::invalid_argument("paths, ranges: expected uint8 and int64, got other types");
        files_.clear();
        for (int i = 0; i < paths.num_samples(); ++i) {
            if (ranges.tensor_shape(i).num_elements() != 2)
                throw std::invalid_argument("ranges: expected [2], got another shape");
            const auto* range = ranges.tensor<int64_t>(i);
            const std::string path(static_cast<const char*>(paths.raw_tensor(i)),
                                   static_cast<size_t>(paths.tensor_shape(i).num_elements()));
            files_.push_back({path.substr(0, path.find('\0')), range[0], range[1]});
        }
        on_all(ws, [](File& file) {
            const auto source = open(file);
            file.size = source ? source->size() : 0;
        });
        dali::TensorListShape<> shape(paths.num_samples(), 1);
        for (int i = 0; i < paths.num_samples(); ++i)
            shape.set_tensor_shape(i, {static_cast<int64_t>(files_[static_cast<size_t>(i)].size)});
        outputs.push_back({shape, DALI_UINT8});
        return true;
    }

    void RunImpl(dali::Workspace& ws) override {
        auto& out = ws.Output<CPUBackend>(0);
        for (int i = 0; i < out.num_samples(); ++i) {
            File& file = files_[static_cast<size_t>(i)];
            dali::DALIMeta meta;
            meta.SetSourceInfo(file.path);
            out.SetMeta(i, meta);
            file.to = static_cast<uint8_t*>(out.raw_mutable_tensor(i));
        }
        on_all(ws, [this](File& file) { read(file); });
    }

  private:
    struct File {
        std::string path;
        int64_t begin, length;
        uint64_t size = 0;  // 0: it cannot be read; the decoder says so of no bytes
        uint8_t* to = nullptr;
    };

    template <typename Work>
    void on_all(const dali::Workspace& ws, const Work& work) {
        auto& pool = ws.GetThreadPool();
        for (File& file : files_) pool.AddWork([&work, &file](int) { work(file); });
        pool.RunAll();
    }

    // Never kept open for long: a batch may have more files than a process may open.
    static std::unique_ptr<geotiff::Source> open(const File& file) {
        try {
            if (file.length < 0) return std::make_unique<geotiff::Source>(file.path);
            return std::make_unique<geotiff::Source>(file.path, static_cast<uint64_t>(file.begin),
                                                     static_cast<uint64_t>(file.length));
        } catch (const GeoTiffError&) {
            return nullptr;
        }
    }

    void read(const File& file) const {
        const StageTimer timer(Stage::kRead);
        const auto source = open(file);
        try {
            if (!source || source->size() != file.size) throw GeoTiffError("changed while it was read");
            for (const auto& [begin, end] : wanted_ranges(*source, bands_)) {
                source->read(begin, end - begin, file.to + begin);
                stage_totals().bytes_read.fetch_add(static_cast<int64_t>(end - begin),
                                                    std::memory_order_relaxed);
            }
        } catch (const GeoTiffError&) {
            std::fill_n(file.to, file.size, uint8_t{0});  // which is no GeoTIFF
        }
    }

    const std::vector<int> bands_;
    std::vector<File> files_;
};

}  // namespace seco::dali_ops

DALI_REGISTER_OPERATOR(seco__ReadRange, ::seco::dali_ops::ReadRange, ::dali::CPU);
