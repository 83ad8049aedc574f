// Bytes of a GeoTIFF: a file, a slice of a file (a member of a tar) or a buffer.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "common/error.hpp"

namespace seco::geotiff {

class Source {
  public:
    explicit Source(const std::string& path) : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        struct stat status{};
        if (file_ < 0 || fstat(file_, &status) != 0) fail("cannot be read");
        if (!S_ISREG(status.st_mode)) {
            close(file_);
            throw GeoTiffError("is not a file");
        }
        size_ = static_cast<uint64_t>(status.st_size);
    }
    Source(const std::string& path, uint64_t begin, uint64_t length) : Source(path) {
        if (!holds(begin, length)) throw GeoTiffError("lies beyond the end of its file (truncated?)");
        begin_ = begin;
        size_ = length;
    }
    Source(const uint8_t* bytes, uint64_t size) : bytes_(bytes), size_(size) {}
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() {
        if (file_ >= 0) close(file_);
    }

    uint64_t size() const { return size_; }

    bool holds(uint64_t offset, uint64_t count) const { return offset <= size_ && count <= size_ - offset; }

    // Bytes that are in memory already; null if they are in a file.
    const uint8_t* borrow(uint64_t offset, uint64_t count) const {
        if (!holds(offset, count)) throw GeoTiffError("ends before its data does (truncated?)");
        return bytes_ ? bytes_ + offset : nullptr;
    }

    void read(uint64_t offset, uint64_t count, void* to) const {
        if (!holds(offset, count)) throw GeoTiffError("ends before its data does (truncated?)");
        if (bytes_) {
            if (count) std::memcpy(to, bytes_ + offset, count);
            return;
        }
        if (count > sizeof(window_)) return read_file(offset, count, to);
        if (offset < window_begin_ || offset + count > window_begin_ + window_size_)
            move_window(offset, count);
        std::memcpy(to, window_ + (offset - window_begin_), count);
    }

  private:
    // A header is many small reads near each other, on both sides of its directory, which may be anywhere in
    // the file; a call of the system costs more than a page.
    void move_window(uint64_t offset, uint64_t count) const {
        constexpr uint64_t kBefore = sizeof(window_) / 2;
        window_size_ = 0;  // should reading fail
        window_begin_ = count > kBefore ? offset : offset - std::min(offset, kBefore);
        const uint64_t size = std::min<uint64_t>(size_ - window_begin_, sizeof(window_));
        read_file(window_begin_, size, window_);
        window_size_ = size;
    }

    void read_file(uint64_t offset, uint64_t count, void* to) const {
        auto* out = static_cast<char*>(to);
        offset += begin_;
        while (count > 0) {
            const ssize_t got = pread(file_, out, count, static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) fail("cannot be read");
            if (got == 0) throw GeoTiffError("became shorter while it was read");
            out += got;
            offset += static_cast<uint64_t>(got);
            count -= static_cast<uint64_t>(got);
        }
    }

    [[noreturn]] void fail(const std::string& what) const {
        throw GeoTiffError(what + ": " + std::strerror(errno));
    }

    const uint8_t* bytes_ = nullptr;
    int file_ = -1;
    uint64_t begin_ = 0, size_ = 0;
    mutable uint64_t window_begin_ = 0, window_size_ = 0;
    mutable uint8_t window_[4096];
};

}  // namespace seco::geotiff
