#include "geotiff/header.hpp"

#include <cstring>

namespace seco::geotiff {
namespace {

constexpr uint64_t kMaxEntries = 4096;
constexpr uint16_t kAscii = 2, kDouble = 12;

int type_bytes(uint16_t type) {
    switch (type) {
        case 1:
        case 2:
        case 6:
        case 7:
            return 1;
        case 3:
        case 8:
            return 2;
        case 4:
        case 9:
        case 11:
        case 13:
            return 4;
        case 5:
        case 10:
        case 12:
        case 16:
        case 17:
        case 18:
            return 8;
        default:
            return 0;
    }
}

}  // namespace

bool Header::read(std::string& foreign) {
    uint8_t magic[4];
    if (source_.size() < 8)
        throw GeoTiffError("is no TIFF: it has " + std::to_string(source_.size()) + " bytes");
    source_.read(0, 4, magic);
    if (magic[0] == 'M' && magic[1] == 'M') {
        foreign = "big-endian";
        return false;
    }
    const unsigned version = magic[2] + 256u * magic[3];
    if (magic[0] != 'I' || magic[1] != 'I' || (version != 42 && version != 43)) {
        foreign = "not a TIFF";
        return false;
    }
    big_ = version == 43;
    if (big_ && (number(4, 2) != 8 || number(6, 2) != 0)) throw GeoTiffError("has a damaged BigTIFF header");
    const uint64_t directory = big_ ? number(8, 8) : number(4, 4);
    const uint64_t count = number(directory, big_ ? 8 : 2);
    if (count == 0 || count > kMaxEntries)
        throw GeoTiffError("has a directory of " + std::to_string(count) + " entries");
    const uint64_t size = big_ ? 20 : 12, first = directory + (big_ ? 8 : 2);
    for (uint64_t i = 0; i < count; ++i) add_entry(first + i * size);
    return true;
}

const Header::Entry& Header::find(Tag tag, uint64_t most) const {
    const auto found = entries_.find(tag);
    if (found == entries_.end()) throw GeoTiffError("lacks tag " + std::to_string(tag));
    const Entry& entry = found->second;
    if (entry.count == 0 || entry.count > most || entry.type == kAscii)
        throw GeoTiffError("has " + std::to_string(entry.count) + " values of tag " + std::to_string(tag));
    if (!source_.holds(entry.offset, entry.count * static_cast<uint64_t>(type_bytes(entry.type))))
        throw GeoTiffError("ends before its header does (truncated?)");
    return entry;
}

// The values' bits.
std::vector<uint64_t> Header::words(const Entry& entry) const {
    const auto width = static_cast<size_t>(type_bytes(entry.type));
    std::vector<uint8_t> bytes(entry.count * width);
    source_.read(entry.offset, bytes.size(), bytes.data());
    std::vector<uint64_t> out(entry.count, 0);
    for (size_t i = 0; i < out.size(); ++i)
        for (size_t k = 0; k < width; ++k) out[i] |= uint64_t{bytes[i * width + k]} << (8 * k);
    return out;
}

std::vector<uint64_t> Header::values(Tag tag, uint64_t most) const {
    const Entry& entry = find(tag, most);
    if (entry.type != 1 && entry.type != 3 && entry.type != 4 && entry.type != 16)
        throw GeoTiffError("has values of type " + std::to_string(entry.type) + " in tag " +
                           std::to_string(tag));
    return words(entry);
}

std::vector<double> Header::doubles(Tag tag, uint64_t most) const {
    const Entry& entry = find(tag, most);
    if (entry.type != kDouble)
        throw GeoTiffError("has values of type " + std::to_string(entry.type) + " in tag " +
                           std::to_string(tag));
    const std::vector<uint64_t> bits = words(entry);
    std::vector<double> out(bits.size());
    std::memcpy(out.data(), bits.data(), bits.size() * sizeof(double));
    return out;
}

uint64_t Header::number(uint64_t offset, int width) const {
    uint8_t bytes[8];
    source_.read(offset, static_cast<uint64_t>(width), bytes);
    uint64_t out = 0;
    for (int k = 0; k < width; ++k) out |= uint64_t{bytes[k]} << (8 * k);
    return out;
}

void Header::add_entry(uint64_t at) {
    const auto tag = static_cast<uint16_t>(number(at, 2));
    const auto type = static_cast<uint16_t>(number(at + 2, 2));
    const uint64_t count = number(at + 4, big_ ? 8 : 4);
    const uint64_t value_at = at + (big_ ? 12 : 8), inline_bytes = big_ ? 8 : 4;
    const int width = type_bytes(type);
    if (width == 0 || count > source_.size()) return;  // unknown or absurd: an error only if it is needed
    const bool fits = count * static_cast<uint64_t>(width) <= inline_bytes;
    entries_.emplace(tag, Entry{type, count, fits ? value_at : number(value_at, big_ ? 8 : 4)});
}

}  // namespace seco::geotiff
