// Dealing rows out to parts by ranges of an integer key: what an exchange does with rows that lie in order already.
#pragma once

#include <span>

#include "group_keys.h"

namespace tableflow {

// The range of a value is the number of `boundaries` (ascending) that are not above it; its part is range % parts.  NULL is in
// range 0.
class RangePartition {
 public:
  RangePartition(const std::string& format, std::span<const int64_t> boundaries, uint32_t parts);

  // The part in which all n rows are, or -1; the cheap question, which clustered rows nearly always answer.
  int64_t only(const Input& input, const uint32_t* rows, int64_t n);
  // A stable counting sort: rows[starts[p] .. starts[p + 1]) are part p's.  `starts` has parts + 1 entries.
  void deal(const Input& input, const uint32_t* selection, int64_t n, uint32_t* rows, int64_t* starts);

 private:
  uint32_t range_of(int64_t value) const;
  template <class T> int64_t only_stored(const Vector& vector, int64_t n) const;
  template <class F> void each_piece(const Input& input, const uint32_t* rows, int64_t n, F f);

  KeyColumn column_;
  std::span<const int64_t> boundaries_;
  uint32_t parts_;
  std::vector<int64_t> values_ = std::vector<int64_t>(piece_rows);
  std::vector<uint8_t> nulls_ = std::vector<uint8_t>(piece_rows);
};

}  // namespace tableflow
