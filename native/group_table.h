// Grouping: keys to groups, and aggregates per group.  Single owner, no global state, grows by doubling.
//
// A table is fed with rows (`update`) or, when made with merging calls, with the states that other tables gave.
// After std::exception from update the table may only be destroyed; AggregateOverflow from an export names the call.
#pragma once

#include "aggregate_call.h"
#include "group_index.h"

namespace tableflow {

class GroupTable {
 public:
  // Keys and calls by canonical Arrow format; see KeyColumn and AggregateSpec.
  GroupTable(const std::vector<std::string>& key_formats, const std::vector<AggregateSpec>& calls);
  ~GroupTable();

  // `rows` (may be null: the first n) are the numbers of the n rows that count.
  // With `numbers`, the group of each of them is written there.
  void update(std::span<const Input> keys, std::span<const Input> arguments, const uint32_t* rows, int64_t n,
              uint32_t* numbers = nullptr);
  // One step of some milliseconds towards room for `rows` more groups; false while there is more to do.
  bool prepare(int64_t rows);
  // Instead of grouping: row r of `length` is group r, alone.  What was there before is forgotten.
  void spread(std::span<const Input> arguments, const uint32_t* rows, int64_t n, int64_t length);

  int64_t groups() const { return groups_; }
  int key_count() const { return index_->columns(); }
  int call_count() const { return int(calls_.size()); }
  VectorPtr key(int column, int64_t from, int64_t n);
  VectorPtr result(int call, int64_t from, int64_t n) const { return calls_[size_t(call)].result(slots_, from, n); }
  // The states of all calls, in order.
  std::vector<VectorPtr> states(int64_t from, int64_t n) const;
  void clear();
  int64_t bytes() const;
  // An upper bound of bytes() after `rows` more rows, without the bytes of strings.
  int64_t bytes_after(int64_t rows) const;

 private:
  struct Selected;  // lanes under one filter and one argument's validity
  struct DistinctSet {
    std::vector<int> arguments;
    int filter;
    std::vector<std::string> formats;
    std::unique_ptr<KeyIndex> index;
  };
  void resize(int64_t groups);
  void update_piece(std::span<const Input> arguments, const Piece& piece, int64_t before);
  void order_by_group(int n);
  void spell_intervals(std::span<const Input> keys, const Piece& piece);
  Selected& selected(std::span<const Input> arguments, const Piece& piece, int filter, int argument);
  Selected& distinct_rows(std::span<const Input> arguments, const Piece& piece, int set);
  Lanes lanes_for(const Selected& rows, const Input* input, const Piece& piece);
  void keep_lanes(const Selected& from, Selected& to, const uint8_t* keep);

  std::vector<std::string> key_formats_;
  std::unique_ptr<KeyIndex> index_;
  std::vector<std::unique_ptr<IntervalExtreme>> spellings_;  // by key column: how a group's interval is written
  std::vector<AggregateCallState> calls_;
  std::vector<Slot> slots_;
  std::vector<DistinctSet> sets_;
  std::vector<std::unique_ptr<Selected>> cache_;  // of the current piece; [0] are all rows
  size_t cached_ = 0;
  int64_t groups_ = 0;
  std::vector<uint32_t> group_of_;  // of each lane of the piece
};

}  // namespace tableflow
