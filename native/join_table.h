// The build side of an equality join: from keys to build row numbers, read-only once sealed.
//
// Tasks collect JoinRows, radix-partitioned by the hash of the key.  A table over all of them is sealed partition by partition;
// every key, and with it every cell of the directory, belongs to one partition, so that parts are sealed concurrently
// without two of them writing the same memory.  The directory is an array by value where the keys of one integer column lie
// close together, else open addressing per partition; rows of equal words are chained in ascending order.
#pragma once

#include <memory>

#include "group_memory.h"
#include "join_keys.h"

namespace tableflow {

constexpr int join_partitions = 64;
constexpr uint32_t no_row = UINT32_MAX;

inline int partition_of(uint64_t hash) { return int(hash >> 40) & (join_partitions - 1); }

// What one task collected; row numbers count all rows that were appended, also those that cannot match.
class JoinRows {
 public:
  JoinRows(const std::vector<std::string>& formats, const std::vector<uint8_t>& null_safe) : keys_(formats, null_safe) {}
  // `only` (may be null): rows whose byte is 0 are counted and match nothing.
  void append(std::span<const Input> keys, const uint32_t* rows, int64_t n, const uint8_t* only = nullptr);
  int64_t rows() const { return rows_; }
  int64_t bytes() const;
  const JoinKeys& keys() const { return keys_; }

 private:
  friend class JoinTable;
  struct Partition {
    Array<uint64_t> words;
    Array<uint32_t> rows;
  };
  JoinKeys keys_;
  Partition partitions_[join_partitions];
  int64_t rows_ = 0;
  int64_t entries_ = 0;
  int64_t least_ = INT64_MAX, most_ = INT64_MIN;  // of exact words
};

class JoinTable {
 public:
  // Rows of the first partial come first.  Partials are kept until finish().
  explicit JoinTable(std::vector<std::shared_ptr<const JoinRows>> partials);

  int parts() const { return parts_; }
  void seal(int part);
  // `keys`: all build rows' key columns, needed unless the words are exact.
  void finish(std::vector<VectorPtr> keys);

  const JoinKeys& keys() const { return keys_; }
  std::span<const VectorPtr> key_columns() const { return key_columns_; }
  int64_t rows() const { return rows_; }
  int64_t entries() const { return entries_; }
  bool has_chains() const { return chained_; }
  bool direct() const { return direct_mode_; }
  int64_t bytes() const;
  static int64_t bytes_for(int64_t rows) { return rows * 60 + 65536; }

  // First row of each word; no_row where there is none or matchable[i] is 0.
  void find(int n, const uint64_t* words, const uint8_t* matchable, uint32_t* rows) const;
  uint32_t next(uint32_t row) const { return chained_ ? next_[row] - 1 : no_row; }

 private:
  struct Slot {
    uint64_t word;
    uint32_t row;  // + 1; 0 is empty
    uint32_t unused;
  };
  struct Region {
    uint64_t base = 0, mask = 0;
  };
  template <class Cell> bool insert_all(int partition, Cell cell);

  JoinKeys keys_;
  std::vector<std::shared_ptr<const JoinRows>> partials_;
  std::vector<uint32_t> first_rows_;
  std::vector<VectorPtr> key_columns_;
  int parts_ = 1;
  int64_t rows_ = 0, entries_ = 0;
  bool direct_mode_ = false;
  int64_t base_ = 0;
  uint64_t cells_ = 0;
  Array<uint32_t> direct_;  // by value - base_: row + 1
  Array<Slot> slots_;
  Region regions_[join_partitions];
  Array<uint32_t> next_;  // row + 1 of the next row with an equal word
  uint8_t chains_[join_partitions] = {};
  bool chained_ = false;
};

}  // namespace tableflow
