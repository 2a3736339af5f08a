// Join keys as words: one integer column is its own value, everything else the hash of the value.
//
// Words of equal keys are equal.  Words of one integer column are equal only for equal keys (`exact`); of hashes that is
// checked by value, see KeyComparison.
#pragma once

#include "group_keys.h"
#include "hash.h"

namespace tableflow {

class JoinKeys {
 public:
  JoinKeys(const std::vector<std::string>& formats, const std::vector<uint8_t>& null_safe);

  bool exact() const { return exact_; }
  size_t columns() const { return columns_.size(); }
  const KeyColumn& column(size_t c) const { return columns_[c]; }
  bool null_safe(size_t c) const { return null_safe_[c]; }

  // words[i] of each row of the piece; out[i] whether it can match at all (no NULL that is not null-safe).
  // Returns whether all can.
  bool load(std::span<const Input> inputs, const Piece& piece, uint64_t* words, uint8_t* matchable) const;
  uint64_t hash(uint64_t word) const { return exact_ ? hash_value(int64_t(word)) : word; }

 private:
  std::vector<KeyColumn> columns_;
  std::vector<uint8_t> null_safe_;
  bool exact_;
};

// Whether key columns of two sides are equal by value, pair by pair, whatever their representations.
class KeyComparison {
 public:
  explicit KeyComparison(const JoinKeys& keys) : keys_(&keys) {}
  // equal[i] for pairs (left[i], right[i]), n of them, at most piece_rows.
  void compare(std::span<const Input> left, const uint32_t* left_rows, std::span<const VectorPtr> right, const uint32_t* right_rows, int n,
               uint8_t* equal);

 private:
  void compare_text(const Vector& left, const uint32_t* left_rows, const Vector& right, const uint32_t* right_rows, int n, bool null_safe,
                    uint8_t* equal);
  const JoinKeys* keys_;
  std::vector<int64_t> left_values_ = std::vector<int64_t>(2 * piece_rows), right_values_ = std::vector<int64_t>(2 * piece_rows);
  std::vector<uint8_t> left_nulls_ = std::vector<uint8_t>(piece_rows), right_nulls_ = std::vector<uint8_t>(piece_rows);
};

}  // namespace tableflow
