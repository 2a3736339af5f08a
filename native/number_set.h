// Integers as a bit map over their span, and the rows of a column whose value is among them.
#pragma once

#include <span>

#include "vector.h"

namespace tableflow {

// Bit `v - first` of the result is set for each value v; all lie in [first, first + span).
BufferPtr number_bits(std::span<const int64_t> values, int64_t first, int64_t span);

// The numbers in [low, high]: all of them, or those whose bit `v - first` is set in `bits`, which has one for each.
struct NumberRange {
  int64_t low, high;
  const uint64_t* bits = nullptr;
  int64_t first = 0;  // at most `low`
};

// Writes the rows, ascending, whose value is in the range and not NULL; `out` has room for all rows.  Returns how many.
int64_t rows_among(const Vector& integers, const NumberRange& range, uint32_t* out);

}  // namespace tableflow
