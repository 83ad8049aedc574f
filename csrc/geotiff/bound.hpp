// What limits the memory that a hostile file can make us allocate: the only place where a declared size is
// weighed against the bytes that are there.
//
// Checked by the parser, before anything is allocated for pixels:
//   - an image, and a block of it, declares at most kMaxImageBytes;
//   - a block declares at most max_ratio(codec) times its compressed bytes;
//   - blocks do not share bytes: together they have no more than the file.
// So a file of F bytes makes us allocate at most min(kMaxImageBytes, max_ratio × F) for an image; as much
// again and F for the block that a thread works on; and some 48 F for the tables of blocks, of which each
// takes a byte or more. Only ZSTD's ratio leaves a small file room for much; beyond DEFLATE's, where its
// frame gives a size, that counts.
#pragma once

#include <cstdint>

#include "geotiff/parse.hpp"
#include "geotiff/source.hpp"

namespace seco::geotiff {

constexpr uint64_t kMaxImageBytes = uint64_t{1} << 30;  // a patch is thousands of times smaller

// The most bytes that one compressed byte can stand for.
uint64_t max_ratio(Compression compression);

// Throws GeoTiffError if `block` cannot hold the `declared` bytes.
void check_block(const Source& source, Compression compression, const Block& block, uint64_t declared);

}  // namespace seco::geotiff
