// fn.seco.decode_geotiff on DALI's thread pool: the library's own decoder.
#include "cpu/decode_geotiff.hpp"

#include <dali/pipeline/operator/operator.h>

#include <string>
#include <vector>

#include "common/error.hpp"
#include "geotiff/georeference.hpp"
#include "geotiff/parse.hpp"

DALI_SCHEMA(seco__DecodeGeotiff)
    .DocStr(R"(Decodes GeoTIFF files to planes of pixels.

Takes encoded files, uint8 of one dimension. One input gives [C, H, W] of the files' type; several inputs, files of the same
size, are stacked to [T, C, H, W]. Strips or tiles, bands interleaved or apart, uncompressed, DEFLATE, ZSTD or LZW, predictor 1
or 2, 8 to 32-bit integers and float32, TIFF and BigTIFF, little-endian. Other files are refused by name.)")
    .NumInput(1, 16)
    .OutputFn([](const dali::OpSpec& spec) {
        return 1 + static_cast<int>(spec.GetArgument<bool>("georeference")) +
               static_cast<int>(spec.GetArgument<std::string>("on_error") == "flag");
    })
    .AddOptionalArg("bands", "Numbers of the bands wanted, from 0, in any order; all if empty.",
                    std::vector<int>{})
    .AddOptionalArg("georeference",
                    "Adds an output: float64 [7] a file, GDAL's geotransform and the EPSG code (NaN and 0 "
                    "where it has none).",
                    false)
    .AddOptionalArg<std::string>(
        "on_error",
        "`raise` stops the pipeline at a file that cannot be decoded and names it; `flag` fills it with "
        "zeros and adds a last output, bool [T], that says which files are whole.",
        "raise");

namespace seco::dali_ops {

using dali::CPUBackend;

dali::DALIDataType type_of(const std::string& dtype) {
    if (dtype == "uint8") return DALI_UINT8;
    if (dtype == "int8") return DALI_INT8;
    if (dtype == "uint16") return DALI_UINT16;
    if (dtype == "int16") return DALI_INT16;
    if (dtype == "uint32") return DALI_UINT32;
    if (dtype == "int32") return DALI_INT32;
    return DALI_FLOAT;
}

// One file of a batch.
struct File {
    const uint8_t* bytes = nullptr;
    uint64_t size = 0;
    std::string name;
    geotiff::Image image;
    geotiff::Georeference place{};
    std::string wrong;  // why it cannot be decoded; empty if it can
};

class DecodeGeotiff : public dali::Operator<CPUBackend> {
  public:
    explicit DecodeGeotiff(const dali::OpSpec& spec)
        : Operator(spec),
          georeference_(spec.GetArgument<bool>("georeference")),
          flag_(spec.GetArgument<std::string>("on_error") == "flag") {
        const auto on_error = spec.GetArgument<std::string>("on_error");
        if (!flag_ && on_error != "raise")
            throw std::invalid_argument("on_error: expected raise or flag, got " + on_error);
        for (const int band : spec.GetRepeatedArgument<int>("bands")) {
            if (band < 0)
                throw std::invalid_argument("bands: expected numbers from 0 on, got " + std::to_string(band));
            bands_.push_back(band);
        }
    }

  protected:
    bool SetupImpl(std::vector<dali::OutputDesc>& outputs, const dali::Workspace& ws) override {
        dates_ = ws.NumInput();
        const int samples = ws.GetInputBatchSize(0);
        files_.assign(static_cast<size_t>(samples * dates_), File{});
        auto& pool = ws.GetThreadPool();
        for (int i = 0; i < samples; ++i)
            pool.AddWork([this, i, &ws](int) {
                for (int t = 0; t < dates_; ++t) parse(ws, i, t);
            });
        pool.RunAll();
        const File& model = find_model();
        for (File& file : files_) compare(model, file);
        if (!flag_)
            for (const File& file : files_) refuse(file);

        const auto bands = static_cast<int64_t>(chosen(model).size());
        dali::TensorShape<> shape{bands, model.image.shape.height, model.image.shape.width};
        if (dates_ > 1) shape = dali::TensorShape<>{dates_, shape[0], shape[1], shape[2]};
        outputs.push_back({dali::uniform_list_shape(samples, shape), type_of(model.image.shape.dtype)});
        const auto of_files = [&](dali::TensorShape<> one) {
            if (dates_ == 1) return dali::uniform_list_shape(samples, one);
            one = dali::shape_cat(dali::TensorShape<>{dates_}, one);
            return dali::uniform_list_shape(samples, one);
        };
        if (georeference_) outputs.push_back({of_files({7}), DALI_FLOAT64});
        if (flag_)
            outputs.push_back({dali::uniform_list_shape(samples, dali::TensorShape<>{dates_}), DALI_BOOL});
        return true;
    }

    void RunImpl(dali::Workspace& ws) override {
        auto& pixels = ws.Output<CPUBackend>(0);
        auto& pool = ws.GetThreadPool();
        const int samples = static_cast<int>(files_.size()) / dates_;
        for (int i = 0; i < samples; ++i)
            for (int t = 0; t < dates_; ++t)
                pool.AddWork([this, i, t, &pixels](int) { decode(i, t, pixels); });
        pool.RunAll();
        pixels.SetLayout(dates_ > 1 ? "FCHW" : "CHW");
        if (!flag_)
            for (const File& file : files_) refuse(file);
        int next = 1;
        if (georeference_) write_places(ws.Output<CPUBackend>(next++));
        if (flag_) write_flags(ws.Output<CPUBackend>(next));
    }

  private:
    File& file_at(int sample, int date) { return files_[static_cast<size_t>(sample * dates_ + date)]; }

    void parse(const dali::Workspace& ws, int sample, int date) {
        const auto& input = ws.Input<CPUBackend>(date);
        File& file = file_at(sample, date);
        file.name = input.GetMeta(sample).GetSourceInfo();
        if (file.name.empty())
            file.name = "sample " + std::to_string(sample) + " of input " + std::to_string(date);
        if (input.type() != DALI_UINT8 || input.sample_dim() != 1)
            throw std::invalid_argument(
                "encoded: expected the bytes of files, uint8 [n], got another type or shape");
        file.bytes = static_cast<const uint8_t*>(input.raw_tensor(sample));
        file.size = static_cast<uint64_t>(input.tensor_shape(sample).num_elements());
        try {
            const geotiff::Source source(file.bytes, file.size);
            file.image = geotiff::parse(source);
            if (!file.image.foreign.empty())
                file.wrong =
                    "is not of the fast profile (" + file.image.foreign + "); write it anew with GDAL";
            else if (georeference_)
                file.place = geotiff::read_georeference(source);
        } catch (const GeoTiffError& error) {
            file.wrong = error.what();
        }
    }

    // The first readable file: type, and with several inputs the size, are those of all.
    const File& find_model() const {
        for (const File& file : files_)
            if (file.wrong.empty()) return file;
        refuse(files_.front());
        throw std::invalid_argument("encoded: expected at least one file, got an empty batch");
    }

    std::vector<int64_t> chosen(const File& file) const {
        if (!bands_.empty()) return bands_;
        std::vector<int64_t> all(static_cast<size_t>(file.image.shape.bands));
        for (size_t b = 0; b < all.size(); ++b) all[b] = static_cast<int64_t>(b);
        return all;
    }

    void compare(const File& model, File& file) const {
        if (!file.wrong.empty()) return;
        for (const int64_t band : bands_)
            if (band >= file.image.shape.bands)
                file.wrong = "has " + std::to_string(file.image.shape.bands) + " bands, none numbered " +
                             std::to_string(band);
        if (!(file.image.shape == model.image.shape))
            file.wrong =
                "has " + file.image.shape.text() + ", not " + model.image.shape.text() + " as " + model.name;
    }

    static void refuse(const File& file) {
        if (!file.wrong.empty())
            throw std::runtime_error(file.name + ": expected a readable GeoTIFF, got one that " + file.wrong);
    }

    void decode(int sample, int date, dali::TensorList<CPUBackend>& pixels) {
        File& file = file_at(sample, date);
        const int64_t bytes = pixels.tensor_shape(sample).num_elements() *
                              static_cast<int64_t>(dali::TypeTable::GetTypeInfo(pixels.type()).size()) /
                              dates_;
        auto* out = static_cast<uint8_t*>(pixels.raw_mutable_tensor(sample)) + date * bytes;
        if (file.wrong.empty()) {
            try {
                const geotiff::Source source(file.bytes, file.size);
                return cpu::decode_geotiff(source, file.image, chosen(file), out);
            } catch (const GeoTiffError& error) {
                file.wrong = error.what();
            }
        }
        std::fill_n(out, bytes, uint8_t{0});
    }

    void write_places(dali::TensorList<CPUBackend>& places) {
        for (int i = 0; i < places.num_samples(); ++i) {
            auto* out = places.mutable_tensor<double>(i);
            for (int t = 0; t < dates_; ++t) {
                const geotiff::Georeference& place = file_at(i, t).place;
                out = std::copy(place.transform.begin(), place.transform.end(), out);
                *out++ = place.epsg;
            }
        }
    }

    void write_flags(dali::TensorList<CPUBackend>& flags) {
        for (int i = 0; i < flags.num_samples(); ++i)
            for (int t = 0; t < dates_; ++t) flags.mutable_tensor<bool>(i)[t] = file_at(i, t).wrong.empty();
    }

    std::vector<int64_t> bands_;
    bool georeference_, flag_;
    int dates_ = 1;
    std::vector<File> files_;  // [samples][dates]
};

}  // namespace seco::dali_ops

DALI_REGISTER_OPERATOR(seco__DecodeGeotiff, ::seco::dali_ops::DecodeGeotiff, ::dali::CPU);
