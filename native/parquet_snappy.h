// Snappy decompression of untrusted bytes (format: github.com/google/snappy/blob/main/format_description.txt).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tableflow::parquet {

// Decompresses into exactly `size` bytes; throws Corrupt for anything else.  `out` must have 64 writable bytes past its
// end, `in` 64 readable ones.
void snappy_decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size);

}  // namespace tableflow::parquet
