// Keys to dense group numbers, in order of first appearance.
//
// Five ways, chosen by the key columns and by what was seen: no columns (one group); one string column (the pool's numbers
// are the groups'); one integer column whose rows come in order (nothing is looked up), or else whose values lie close together (an
// array by value, given up when they do not, which then keeps the groups it has);
// else a hash table by open addressing with linear probing, with the key in the slot when it is one word without text.
// Small dictionaries and booleans in front of it are looked up by their codes alone.
#pragma once

#include "group_keys.h"
#include "group_memory.h"
#include "group_numbers.h"
#include "tag_table.h"

namespace tableflow {

constexpr int64_t direct_least = 1 << 15;  // cells an array by value may have whatever the number of groups
constexpr int64_t direct_ratio = 16;       // cells per group beyond that

class KeyIndex {
 public:
  explicit KeyIndex(const std::vector<std::string>& formats);

  // groups[i] of each row of the piece; new keys get the next numbers.
  void find_or_insert(std::span<const Input> inputs, const Piece& piece, uint32_t* groups);
  // The same for some lanes of the piece (ascending); the group of all others is `left_out`.  False, with nothing done, when
  // rows cannot be looked up where others lie between them.
  bool find_among(std::span<const Input> inputs, const Piece& piece, std::span<const uint16_t> lanes, uint32_t* groups);
  static constexpr uint32_t left_out = UINT32_MAX;
  // Makes room for `rows` more keys until a deadline, so that a caller can be interrupted between the steps;
  // false while there is more to do.  Not needed for correctness: find_or_insert does at once what is left.
  bool prepare(int64_t rows, const Deadline& deadline);
  int64_t size() const { return size_; }
  int columns() const { return keys_.columns(); }
  // Some groups' values of a key column.
  VectorPtr column(int c, const Groups& of);
  int64_t bytes() const;
  // Bytes after at most `rows` more rows, without the bytes of strings.
  int64_t bytes_after(int64_t rows) const;

 private:
  enum class Mode : uint8_t { Constant, Text, Runs, Direct, OneWord, Words };
  struct WordSlot {
    uint64_t key;
    uint32_t group;  // number + 1; 0 is empty
    uint32_t unused;
  };

  struct Segment {  // of values that came in order: the least and greatest, and their groups
    int64_t low, high;
    uint32_t first, last;
  };

  // The group of the lanes `without` is `left_out`.
  bool find_by_codes(std::span<const Input> inputs, const Piece& piece, uint32_t* groups, std::span<const uint16_t> without = {});
  bool open_grid(std::span<const Input> inputs);
  void insert_missing(std::span<const Input> inputs, const Piece& piece, const uint32_t* cells, uint32_t* groups);
  void find_general(std::span<const Input> inputs, const Piece& piece, uint32_t* groups);
  void find_text(std::span<const Input> inputs, const Piece& piece, uint32_t* groups);
  void find_single(std::span<const Input> inputs, const Piece& piece, uint32_t* groups);
  bool find_runs(int n, const int64_t* values, uint32_t* groups);
  void leave_runs();
  bool find_direct(int n, const int64_t* values, const uint8_t* nulls, uint32_t* groups);
  bool become_direct();
  void leave_direct();
  bool cover(int64_t least, int64_t most, int n);
  void find_one_word(int n, const int64_t* values, const uint8_t* nulls, uint32_t* groups);
  void find_words(int n, uint32_t* groups);
  size_t slots_wanted(int64_t n) const { return size_t(size_ - frozen_ + n) * 5 / 3 + 1; }
  void reserve_slots(int64_t n);
  void begin_rehash(size_t capacity);
  void rehash_until(int64_t end);
  void rehash_fully() {
    if (moved_ < size_) rehash_until(size_);
    if (tags_.moving()) tags_.reserve(0);
  }
  uint32_t null_group();
  uint32_t next_group();

  KeyWords keys_;
  Mode mode_;
  int64_t size_ = 0;
  int64_t null_group_ = -1;
  Array<uint64_t> words_;  // of each group
  Array<WordSlot> word_slots_;
  TagTable tags_;
  uint64_t mask_ = 0;
  int64_t moved_ = INT64_MAX;  // while a new hash table is filled: the groups that are in it
  std::vector<Segment> segments_;  // ascending
  Array<uint32_t> direct_;  // by value - base_: number + 1
  int64_t base_ = 0;
  int64_t least_ = INT64_MAX, most_ = INT64_MIN, compared_ = 0;  // of the values of the first groups
  int64_t frozen_ = 0;  // groups that stay in the array when it is given up; the hash table has those behind them
  // Groups by the combination of small codes; valid for these dictionaries.
  std::vector<uint32_t> grid_;
  std::vector<VectorPtr> grid_dictionaries_;
  // Scratch of one piece.
  std::vector<uint64_t> packed_, hashes_;
  std::vector<int64_t> values_;
  std::vector<uint8_t> nulls_;
  std::vector<uint32_t> cells_;
  std::vector<uint16_t> without_;  // lanes that are left out
};

}  // namespace tableflow
