// What kernels for eight lanes of 32 bits have in common: the lanes of a set, so that those are stored that are kept.
#pragma once

#include <array>
#include <cstdint>

namespace tableflow {

// Of each set of eight lanes their numbers, ascending, a byte each from the lowest.
inline constexpr auto lanes_of = [] {
  std::array<uint64_t, 256> table{};
  for (unsigned set = 0; set < 256; ++set)
    for (unsigned lane = 0, to = 0; lane < 8; ++lane)
      if (set >> lane & 1) table[set] |= uint64_t(lane) << (8 * to++);
  return table;
}();

}  // namespace tableflow
