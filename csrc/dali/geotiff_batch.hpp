// The files of a batch: what both backends of fn.seco.decode_geotiff know of them before they decode.
#pragma once

#include <dali/pipeline/operator/operator.h>

#include <functional>
#include <string>
#include <vector>

#include "geotiff/georeference.hpp"
#include "geotiff/parse.hpp"

namespace seco::dali_ops {

// One file of a batch.
struct File {
    const uint8_t* bytes = nullptr;
    uint64_t size = 0;
    std::string name;
    geotiff::Image image;
    geotiff::Georeference place{};
    std::string wrong;  // why it cannot be decoded; empty if it can
};

// Calls body(i) for every i below count, on the threads of the backend.
using ForEach = std::function<void(int64_t count, const std::function<void(int64_t)>& body)>;

class GeotiffBatch {
  public:
    explicit GeotiffBatch(const dali::OpSpec& spec);

    // Reads the headers of the inputs. Throws where a file is wrong and none is to be flagged.
    void parse(const dali::Workspace& ws, const ForEach& for_each);

    // Shapes and types of the outputs: pixels, then what was asked for beside them.
    std::vector<dali::OutputDesc> outputs() const;

    // Throws what is wrong with the first file that is not to be flagged.
    void refuse_wrong() const;

    // Decodes a file on the CPU to planes at `out`, or says in `wrong` why not.
    void decode(File& file, uint8_t* out) const;

    // [files, 7] and [files], to memory of the host.
    void write_places(double* out) const;
    void write_flags(bool* out) const;

    const std::vector<int64_t>& bands() const { return bands_; }
    std::vector<File>& files() { return files_; }
    int dates() const { return dates_; }
    const geotiff::Shape& shape() const { return shape_; }  // of all files
    int sample_bytes() const;
    int64_t file_bytes() const;  // decoded
    bool georeference() const { return georeference_; }
    bool flag() const { return flag_; }
    const char* layout() const { return dates_ > 1 ? "FCHW" : "CHW"; }

  private:
    void parse_file(const dali::Workspace& ws, File& file, int sample, int date) const;
    void find_model();
    const File* find_typical() const;
    void compare(File& file) const;

    std::vector<int> asked_;  // bands
    std::vector<int> size_;   // asked for; empty: that of most files
    std::string dtype_;       // likewise
    bool georeference_, flag_;
    int dates_ = 1, samples_ = 0;
    geotiff::Shape shape_;
    std::string model_name_;      // of the file that has it
    std::vector<int64_t> bands_;  // wanted
    std::vector<File> files_;     // [samples][dates]
};

}  // namespace seco::dali_ops
