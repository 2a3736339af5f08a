// Bytes of a text counted in lanes of eight bits.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tableflow::program {

inline bool starts_character(char c) { return (uint8_t(c) & 0xC0) != 0x80; }

template <class Wanted> int64_t count_bytes(const char* data, int64_t n, Wanted wanted) {
  int64_t count = 0;
  for (int64_t first = 0; first < n; first += 240) {  // what a lane can count
    uint8_t found = 0;
    const int64_t end = std::min<int64_t>(n, first + 240);
    for (int64_t i = first; i < end; ++i) found = uint8_t(found + wanted(data[i]));
    count += found;
  }
  return count;
}

// How many characters of UTF-8 these bytes are.
inline int64_t characters(const char* data, int64_t n) { return count_bytes(data, n, starts_character); }

}  // namespace tableflow::program
