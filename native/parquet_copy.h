// Copies of decompressors: fast because they may write a little too much, into padding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tableflow::parquet {

// Copies 16 bytes at a time and may write up to 15 bytes too many.
inline void copy_wide(const uint8_t* from, uint8_t* to, size_t bytes) {
  for (size_t done = 0; done < bytes; done += 16) std::memcpy(to + done, from + done, 16);
}

// Copies from `offset` bytes back, where source and destination may overlap; may write up to 15 bytes too many.
inline void copy_back(uint8_t* to, size_t offset, size_t bytes) {
  const uint8_t* from = to - offset;
  if (offset >= 16) return copy_wide(from, to, bytes);
  if (offset >= 8) {
    for (size_t done = 0; done < bytes; done += 8) std::memcpy(to + done, from + done, 8);
    return;
  }
  // What repeats after a few bytes repeats after a multiple of them, too.
  constexpr uint8_t multiples[8] = {8, 8, 8, 9, 8, 10, 12, 14};
  const size_t multiple = multiples[offset];
  for (size_t i = 0; i < 8; ++i) to[i] = from[i];
  for (size_t done = 8; done < bytes; done += 8) std::memcpy(to + done, to + done - multiple, 8);
}

}  // namespace tableflow::parquet
