// Zstandard decompression of untrusted bytes (RFC 8878).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tableflow::parquet {

// Decompresses into exactly `size` bytes; throws Corrupt for anything else, Unsupported where a dictionary is needed.
// `out` must have 64 writable bytes past its end, `in` 64 readable ones.
void zstd_decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size);

}  // namespace tableflow::parquet
