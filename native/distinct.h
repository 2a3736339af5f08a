// The smallest distinct hashes of what was seen: the content of a theta sketch.
//
// Hashes are halved (63 bits, as Apache DataSketches has them) and kept in an open table; when it holds twice as many as are
// wanted, all but the smallest go and theta is what they were below (Dasgupta et al., "A Framework for Estimating Stream
// Expression Cardinalities", 2016; the table is that of a quickselect sketch).
#pragma once

#include <cstdint>
#include <vector>

#include "vector.h"

namespace tableflow {

class DistinctHashes {
 public:
  static constexpr uint64_t all = INT64_MAX;  // theta of a sketch that has every hash

  explicit DistinctHashes(int64_t k);
  // NULLs do not count.  Nested vectors throw std::invalid_argument.
  void update(const Vector& vector);
  // Ascending, at most k; cuts theta to what holds for them.
  std::vector<uint64_t> hashes();
  uint64_t theta() const { return theta_; }

 private:
  void insert(uint64_t hash);
  void cut();

  size_t k_, used_ = 0;
  uint64_t theta_ = all, mask_;
  std::vector<uint64_t> slots_;  // 0 is empty
};

}  // namespace tableflow
