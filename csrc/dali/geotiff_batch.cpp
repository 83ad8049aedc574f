#include "dali/geotiff_batch.hpp"

#include <algorithm>
#include <numeric>

#include "common/error.hpp"
#include "cpu/decode_geotiff.hpp"

DALI_SCHEMA(seco__DecodeGeotiff)
    .DocStr(R"(Decodes GeoTIFF files to planes of pixels.

Takes encoded files, uint8 of one dimension. One input gives [C, H, W] of the files' type; several inputs, files of the same
size, are stacked to [T, C, H, W]. Strips or tiles, bands interleaved or apart, uncompressed, DEFLATE, ZSTD or LZW, predictor 1
or 2, 8 to 32-bit integers and float32, TIFF and BigTIFF, little-endian. Other files are refused by name.

With device="mixed" headers are read on the CPU; the blocks of the wanted bands of all files go to the GPU in one copy and are
decompressed there by nvCOMP, LZW on the CPU. A file that fails a check there is decoded again on the CPU.)")
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
    .AddOptionalArg(
        "size", "Height and width that files must have, pixels; those of most files of the batch if empty.",
        std::vector<int>{})
    .AddOptionalArg<std::string>("dtype", "Type that files must have, as NumPy calls it; likewise.", "")
    .AddOptionalArg<std::string>(
        "on_error",
        "`raise` stops the pipeline at a file that cannot be decoded and names it; `flag` fills it with "
        "zeros and adds a last output, bool [T], that says which files are whole. With `bands`, `size` and "
        "`dtype` that holds for batches without a readable file, too.",
        "raise");

namespace seco::dali_ops {
namespace {

using dali::CPUBackend;

// DALI_NO_TYPE if there are no such samples.
dali::DALIDataType type_of(const std::string& dtype) {
    if (dtype == "uint8") return DALI_UINT8;
    if (dtype == "int8") return DALI_INT8;
    if (dtype == "uint16") return DALI_UINT16;
    if (dtype == "int16") return DALI_INT16;
    if (dtype == "uint32") return DALI_UINT32;
    if (dtype == "int32") return DALI_INT32;
    return dtype == "float32" ? DALI_FLOAT : DALI_NO_TYPE;
}

void refuse(const File& file) {
    if (!file.wrong.empty())
        throw std::runtime_error(file.name + ": expected a readable GeoTIFF, got one that " + file.wrong);
}

}  // namespace

GeotiffBatch::GeotiffBatch(const dali::OpSpec& spec)
    : asked_(spec.GetRepeatedArgument<int>("bands")),
      size_(spec.GetRepeatedArgument<int>("size")),
      dtype_(spec.GetArgument<std::string>("dtype")),
      georeference_(spec.GetArgument<bool>("georeference")) {
    if (!size_.empty() && (size_.size() != 2 || size_[0] < 1 || size_[1] < 1))
        throw std::invalid_argument("size: expected height and width, got others");
    if (!dtype_.empty() && type_of(dtype_) == DALI_NO_TYPE)
        throw std::invalid_argument("dtype: expected a type of pixels such as uint16, got " + dtype_);
    const auto on_error = spec.GetArgument<std::string>("on_error");
    flag_ = on_error == "flag";
    if (!flag_ && on_error != "raise")
        throw std::invalid_argument("on_error: expected raise or flag, got " + on_error);
    for (const int band : asked_)
        if (band < 0)
            throw std::invalid_argument("bands: expected numbers from 0 on, got " + std::to_string(band));
}

void GeotiffBatch::parse(const dali::Workspace& ws, const ForEach& for_each) {
    dates_ = ws.NumInput();
    samples_ = ws.GetInputBatchSize(0);
    files_.assign(static_cast<size_t>(samples_ * dates_), File{});
    for_each(samples_, [&](int64_t i) {
        for (int t = 0; t < dates_; ++t)
            parse_file(ws, files_[static_cast<size_t>(i * dates_ + t)], static_cast<int>(i), t);
    });
    find_model();
    for (File& file : files_) compare(file);
    if (!flag_) refuse_wrong();
}

void GeotiffBatch::parse_file(const dali::Workspace& ws, File& file, int sample, int date) const {
    const auto& input = ws.Input<CPUBackend>(date);
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
            file.wrong = "is not of the fast profile (" + file.image.foreign + "); write it anew with GDAL";
        else if (georeference_)
            file.place = geotiff::read_georeference(source);
    } catch (const GeoTiffError& error) {
        file.wrong = error.what();
    }
}

void GeotiffBatch::find_model() {
    if (files_.empty())
        throw std::invalid_argument("encoded: expected at least one file, got an empty batch");
    const File* model = find_typical();
    const bool told = !size_.empty() && !dtype_.empty() && !asked_.empty();
    if (!model && !told) refuse(files_.front());
    if (model) shape_ = model->image.shape;
    model_name_ = model ? model->name : "asked for";
    if (!size_.empty()) {
        shape_.height = size_[0];
        shape_.width = size_[1];
    }
    if (!dtype_.empty()) shape_.dtype = dtype_;
    bands_.assign(asked_.begin(), asked_.end());
    if (!asked_.empty()) return;
    bands_.resize(static_cast<size_t>(shape_.bands));
    std::iota(bands_.begin(), bands_.end(), 0);
}

// The first file of those whose shape most readable ones have, so that a damaged header speaks for itself
// alone.
const File* GeotiffBatch::find_typical() const {
    const File* typical = nullptr;
    std::ptrdiff_t most = 0;
    for (const File& file : files_) {
        if (!file.wrong.empty()) continue;
        const auto alike = std::count_if(files_.begin(), files_.end(), [&](const File& other) {
            return other.wrong.empty() && other.image.shape == file.image.shape;
        });
        if (alike > most) {
            most = alike;
            typical = &file;
        }
        if (2 * most >= std::distance(files_.begin(), files_.end())) break;  // as a rule at once
    }
    return typical;
}

int GeotiffBatch::sample_bytes() const {
    return static_cast<int>(dali::TypeTable::GetTypeInfo(type_of(shape_.dtype)).size());
}

void GeotiffBatch::compare(File& file) const {
    if (!file.wrong.empty()) return;
    const geotiff::Shape& shape = file.image.shape;
    for (const int64_t band : bands_)
        if (band >= shape.bands)
            file.wrong =
                "has " + std::to_string(shape.bands) + " bands, none numbered " + std::to_string(band);
    geotiff::Shape expected = shape_;
    if (!asked_.empty()) expected.bands = shape.bands;  // it has those, and may have others
    if (!(shape == expected))
        file.wrong = "has " + shape.text() + ", not " + expected.text() + " as " + model_name_;
}

void GeotiffBatch::refuse_wrong() const {
    for (const File& file : files_) refuse(file);
}

std::vector<dali::OutputDesc> GeotiffBatch::outputs() const {
    const auto of_samples = [&](dali::TensorShape<> shape) {
        if (dates_ > 1) shape = dali::shape_cat(dali::TensorShape<>{dates_}, shape);
        return dali::uniform_list_shape(samples_, shape);
    };
    const auto bands = static_cast<int64_t>(bands_.size());
    std::vector<dali::OutputDesc> all;
    all.push_back({of_samples({bands, shape_.height, shape_.width}), type_of(shape_.dtype)});
    if (georeference_) all.push_back({of_samples({7}), DALI_FLOAT64});
    if (flag_) all.push_back({dali::uniform_list_shape(samples_, dali::TensorShape<>{dates_}), DALI_BOOL});
    return all;
}

int64_t GeotiffBatch::file_bytes() const {
    return static_cast<int64_t>(bands_.size()) * shape_.height * shape_.width * sample_bytes();
}

void GeotiffBatch::decode(File& file, uint8_t* out) const {
    if (!file.wrong.empty()) return;
    try {
        const geotiff::Source source(file.bytes, file.size);
        cpu::decode_geotiff(source, file.image, bands_, out);
    } catch (const GeoTiffError& error) {
        file.wrong = error.what();
    }
}

void GeotiffBatch::write_places(double* out) const {
    for (const File& file : files_) {
        out = std::copy(file.place.transform.begin(), file.place.transform.end(), out);
        *out++ = file.place.epsg;
    }
}

void GeotiffBatch::write_flags(bool* out) const {
    for (const File& file : files_) *out++ = file.wrong.empty();
}

}  // namespace seco::dali_ops
