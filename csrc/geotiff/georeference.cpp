#include "geotiff/georeference.hpp"

#include <limits>

#include "geotiff/header.hpp"

namespace seco::geotiff {
namespace {

constexpr uint64_t kMaxDoubles = 1 << 16, kMaxKeys = 1 << 16;
enum Key : uint64_t { kRasterType = 1025, kGeodetic = 2048, kProjected = 3072 };
constexpr uint64_t kPixelIsPoint = 2, kUserDefined = 32767;

// Value of a key that is stored in the directory itself; 0 where there is none.
uint64_t key_of(const std::vector<uint64_t>& keys, uint64_t wanted) {
    for (size_t i = 4; i + 3 < keys.size(); i += 4)
        if (keys[i] == wanted && keys[i + 1] == 0) return keys[i + 3];
    return 0;
}

std::array<double, 6> read_transform(const Header& header) {
    std::array<double, 6> t;
    t.fill(std::numeric_limits<double>::quiet_NaN());
    if (header.has(kModelTransformation)) {
        const auto m = header.doubles(kModelTransformation, kMaxDoubles);
        if (m.size() >= 8) t = {m[3], m[0], m[1], m[7], m[4], m[5]};
    } else if (header.has(kModelPixelScale) && header.has(kModelTiepoint)) {
        const auto scale = header.doubles(kModelPixelScale, kMaxDoubles);
        const auto tie = header.doubles(kModelTiepoint, kMaxDoubles);  // column, row, -, x, y, -
        if (scale.size() >= 2 && tie.size() >= 6)
            t = {tie[3] - tie[0] * scale[0], scale[0], 0.0, tie[4] + tie[1] * scale[1], 0.0, -scale[1]};
    }
    return t;
}

}  // namespace

Georeference read_georeference(const Source& source) {
    Header header(source);
    std::string foreign;
    Georeference out{};
    out.transform.fill(std::numeric_limits<double>::quiet_NaN());
    if (!header.read(foreign)) return out;
    out.transform = read_transform(header);
    if (!header.has(kGeoKeys)) return out;
    const auto keys = header.values(kGeoKeys, kMaxKeys);
    if (key_of(keys, kRasterType) == kPixelIsPoint) {  // the tie point is a pixel's middle
        auto& t = out.transform;
        t[0] -= 0.5 * t[1] + 0.5 * t[2];
        t[3] -= 0.5 * t[4] + 0.5 * t[5];
    }
    const uint64_t projected = key_of(keys, kProjected), geodetic = key_of(keys, kGeodetic);
    const uint64_t code = projected ? projected : geodetic;
    out.epsg = code == kUserDefined ? 0 : static_cast<int>(code);
    return out;
}

}  // namespace seco::geotiff
