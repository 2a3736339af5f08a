// Snappy decompression of untrusted bytes (format: github.com/google/snappy/blob/main/format_description.txt).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tableflow::parquet {

// Which loop decompresses: it makes a difference to the time only.
enum class SnappyWay { Foreseen, Unforeseen };

// Decompresses into exactly `size` bytes; throws Corrupt for anything else.  `out` must have 64 writable bytes past its
// end, `in` 64 readable ones.
void snappy_decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size, SnappyWay way = SnappyWay::Foreseen);

// Pages of texts that are alike: the beginning of the first long one tells which way takes less time.
class SnappyTexts {
 public:
  void decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size);

 private:
  bool tried_ = false;
  SnappyWay way_ = SnappyWay::Unforeseen;
};

}  // namespace tableflow::parquet
