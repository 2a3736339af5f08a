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

  // `rows` (may be null: n from `base` on) are the numbers of the n rows that count.
  // With `numbers`, the group of each of them is written there.  `weights` (by stored row; null: 1 each) say how often a row
  // counts, and only tables whose calls are all `changing` take them.
  void update(std::span<const Input> keys, std::span<const Input> arguments, const uint32_t* rows, int64_t n,
              uint32_t* numbers = nullptr, const int64_t* weights = nullptr, int64_t base = 0);
  // Rows of one piece of which these lanes, in ascending order, count; the others are there, so that nothing has to be copied.
  // False, with nothing done, when the keys cannot be looked up like this.
  bool update_lanes(std::span<const Input> keys, std::span<const Input> arguments, const Piece& piece, std::span<const uint16_t> lanes);
  // The same in two: the groups of rows first, so that they can be read as they were, then what they accumulate.
  // New groups have had no value; every group that was named is in `touched` once.
  void place(std::span<const Input> keys, const uint32_t* rows, int64_t n, uint32_t* numbers, std::vector<uint32_t>& touched);
  void accumulate(const uint32_t* numbers, std::span<const Input> arguments, const uint32_t* rows, int64_t n,
                  const int64_t* weights = nullptr);
  // One step until the deadline towards room for `rows` more groups; false while there is more to do.
  bool prepare(int64_t rows, const Deadline& deadline);
  // Instead of grouping: row r of `length` is group r, alone.  What was there before is forgotten.
  void spread(std::span<const Input> arguments, const uint32_t* rows, int64_t n, int64_t length);

  int64_t groups() const { return groups_; }
  int key_count() const { return index_->columns(); }
  int call_count() const { return int(calls_.size()); }
  VectorPtr key(int column, const Groups& of);
  VectorPtr result(int call, const Groups& of) const { return calls_[size_t(call)].result(slots_, of); }
  // The states of all calls, in order.
  std::vector<VectorPtr> states(const Groups& of) const;
  // Adds the rows of n groups of a table that was made alike: to groups of the same keys, whose numbers go to `to`.
  // With `keys` the groups' keys are those (one row for each group moved) instead of their own.
  void absorb(GroupTable& other, const uint32_t* from, int64_t n, uint32_t* to, const std::vector<VectorPtr>* keys = nullptr);
  // Groups of these keys, made without rows where there are none.
  void locate(std::span<const Input> keys, int64_t n, uint32_t* numbers);
  // Forgets all groups but n, which are numbered anew in the order given, and gives the memory of the others back.
  void retain(const uint32_t* numbers, int64_t n);
  // Whether no row of the group is left, as far as its calls show; false where they cannot show it.
  bool vacant(int64_t group) const;
  // What calls accumulated, beside keys and distinct values.
  std::string save() const;
  // Into an empty table: keys and distinct values (of each set: group numbers, values, counts) of the table that was saved.
  void load(const std::vector<VectorPtr>& keys, int64_t groups, const std::vector<std::vector<VectorPtr>>& sets, std::string_view state);
  std::vector<std::vector<VectorPtr>> distinct_values();
  void clear();
  int64_t bytes() const;
  // An upper bound of bytes() after `rows` more rows, without the bytes of strings.
  int64_t bytes_after(int64_t rows) const;

 private:
  struct Selected;  // lanes under one filter and one argument's validity
  // The values that calls have seen of the same arguments, found once for all of these calls; they differ by their filters.
  struct DistinctSet {
    static constexpr size_t most_filters = 8;
    std::vector<int> arguments;
    std::vector<int> filters;  // -1: none
    std::vector<std::string> formats;
    std::unique_ptr<KeyIndex> index;
    Array<uint8_t> seen;    // of each value of a group: a bit for each filter under which it has come
    Array<int64_t> counts;  // in a changing table instead: how often, for each filter
    std::vector<uint32_t> entries;  // of the current piece, by lane: the values' numbers
    bool placed = false;            // whether `entries` are there
    // A place for what is known of each value; nothing is known of new ones.
    void grow(bool changing) {
      const auto values = size_t(index->size());
      changing ? counts.resize_zero(values * filters.size()) : seen.resize_zero(values);
    }
    size_t bytes() const { return size_t(index->bytes()) + seen.capacity() + counts.capacity() * 8; }
  };
  struct DistinctRows {  // what DISTINCT calls read: one of a set's filters
    int set, filter;
  };
  GroupTable& operator=(GroupTable&&);
  void resize(int64_t groups);
  void update_piece(std::span<const Input> arguments, const Piece& piece, int64_t before);
  void update_slots(std::span<const Input> arguments, const Piece& piece, int64_t before);
  void order_by_group(const Piece& piece, bool some_left_out);
  void spell_intervals(std::span<const Input> keys, const Piece& piece);
  Selected& selected(std::span<const Input> arguments, const Piece& piece, int filter, int argument);
  int distinct_number(const AggregateSpec& call);
  Selected& distinct_rows(std::span<const Input> arguments, const Piece& piece, int number);
  Selected& filtered_values(std::span<const Input> arguments, const Piece& piece, const DistinctSet& set, int filter);
  void place_values(const Selected& from, std::span<const Input> arguments, const Piece& piece, DistinctSet& set);
  Selected& new_values(const Selected& from, int number);
  void begin_piece();
  Selected& next_selected();
  void update_slot(Slot& slot, Selected& rows, std::span<const Input> arguments, const Piece& piece, int64_t before);
  void absorb_values(GroupTable& other, const Moves& moves);
  Lanes lanes_for(const Selected& rows, const Input* input, const Piece& piece);
  void keep_lanes(const Selected& from, Selected& to, const uint8_t* keep);

  std::vector<std::string> key_formats_;
  std::unique_ptr<KeyIndex> index_;
  std::vector<std::unique_ptr<IntervalExtreme>> spellings_;  // by key column: how a group's interval is written
  std::vector<AggregateSpec> specs_;
  std::vector<AggregateCallState> calls_;
  std::vector<Slot> slots_;
  std::vector<DistinctSet> sets_;
  std::vector<DistinctRows> distinct_;
  std::vector<std::unique_ptr<Selected>> cache_;  // of the current piece; [0] are all rows
  size_t cached_ = 0;
  int64_t groups_ = 0;
  bool changing_ = false;
  const int64_t* weights_ = nullptr;  // of the update that runs
  std::vector<uint32_t> group_of_;  // of each lane of the piece
  Array<uint8_t> touched_;          // by group, while rows are placed
};

}  // namespace tableflow
