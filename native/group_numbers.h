// Which groups are meant.
#pragma once

#include <cstdint>

namespace tableflow {

// Groups by number: a range, or those that are listed.
struct Groups {
  Groups(int64_t first, int64_t count) : from(first), n(count) {}
  Groups(const uint32_t* listed, int64_t count) : numbers(listed), n(count) {}
  int64_t operator[](int64_t i) const { return numbers ? int64_t(numbers[i]) : from + i; }

  const uint32_t* numbers = nullptr;
  int64_t from = 0;
  int64_t n;
};

}  // namespace tableflow
