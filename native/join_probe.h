// Probing a sealed join table: pairs of lanes (positions among the probe rows that count) and build rows, a piece at a time.
//
// A probe belongs to one task; tables are shared.  Between calls it is a cursor, so a key with millions of matches costs no
// more memory than a piece.
#pragma once

#include "join_table.h"

namespace tableflow {

class JoinProbe {
 public:
  explicit JoinProbe(std::shared_ptr<const JoinTable> table);

  // The rows to probe with: `rows` (null: the first n) are their numbers.  Vectors and rows must live until the last pair.
  void start(std::vector<Input> keys, const uint32_t* rows, int64_t n);

  // At most `limit` pairs, in the order of lanes; fewer only after the last one.  `outer`: a lane without a match is paired with
  // no_row.  Lanes with done[lane] != 0 (may be null) are given up.  Build rows with marked[row] != 0 (may be null, else the same
  // bytes in all calls, and no mark is taken back) are left out: once a key's rows are marked, a lane of it costs as good as nothing.
  int64_t next(int64_t limit, bool outer, const uint8_t* done, const uint8_t* marked, uint32_t* lanes, uint32_t* build_rows);
  bool exhausted() const { return lane_ >= n_; }

  // First matching build row of each lane, or no_row; verified.
  const uint32_t* heads() const { return heads_.data(); }
  int64_t lanes() const { return n_; }
  const JoinTable& table() const { return *table_; }

 private:
  void verify_heads();
  int64_t fill(int64_t limit, bool outer, const uint8_t* done, const uint8_t* marked, uint32_t* lanes, uint32_t* build_rows);
  uint32_t unmarked(uint32_t row, const uint8_t* marked);
  void compare(int n, const uint32_t* lanes, const uint32_t* build_rows, uint8_t* equal);

  std::shared_ptr<const JoinTable> table_;
  KeyComparison comparison_;
  std::vector<Input> keys_;
  const uint32_t* rows_ = nullptr;
  int64_t n_ = 0;
  Array<uint32_t> heads_;
  int64_t lane_ = 0;
  uint32_t current_ = no_row;  // of lane_, to be emitted next
  bool begun_ = false;         // lane_'s head was emitted
  std::vector<uint32_t> onward_;  // of each marked build row one behind it in its chain; all between them are marked, too
};

}  // namespace tableflow
