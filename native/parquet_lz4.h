// Decompression of untrusted LZ4 blocks (format: github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tableflow::parquet {

// Decompresses into exactly `size` bytes; throws Corrupt for anything else.  `out` must have 64 writable bytes past its
// end, `in` 64 readable ones.
void lz4_decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size);

}  // namespace tableflow::parquet
