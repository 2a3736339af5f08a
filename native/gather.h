// Rows picked out of vectors and put one after the other: take, compaction and concatenation are one operation.
//
// Results own their buffers; a dictionary is shared, never copied, when all parts have the same one.
#pragma once

#include <span>

#include "vector.h"
#include "work.h"

namespace tableflow {

// Rows of one vector: n from `first` on, or those that an index names.  Indices are not checked here: callers whose indices come from
// outside check them first.  With `nullable` index -1 (UINT32_MAX among narrow ones) stands for NULL.
struct Rows {
  VectorPtr vector;
  int64_t n = 0;
  const uint32_t* narrow = nullptr;
  const int64_t* wide = nullptr;
  bool nullable = false;
  int64_t first = 0;
};

// The rows of all parts in order.  Parts may differ in representation: integers of mixed widths (and decimals beside scaled
// integers) widen, dictionaries that are not shared are unified or decoded, strings beyond 2 GiB become large strings.
// Throws std::invalid_argument for nested vectors and for kinds that no SQL type mixes.
VectorPtr concat(std::span<const Rows> parts);
// The same in steps: gives way between parts.  `out` and the parts' vectors and indices must outlive the work.
Work concat(std::vector<Rows> parts, VectorPtr& out);

inline VectorPtr gather(const VectorPtr& vector, const uint32_t* index, int64_t n, bool nullable = false) {
  const Rows part{vector, n, index, nullptr, nullable, 0};
  return concat({&part, 1});
}
inline VectorPtr gather(const VectorPtr& vector, const int64_t* index, int64_t n, bool nullable = false) {
  const Rows part{vector, n, nullptr, index, nullable, 0};
  return concat({&part, 1});
}

// Whether two dictionaries are the same memory, so that codes of one are codes of the other.
bool same_dictionary(const Vector& a, const Vector& b);

}  // namespace tableflow
