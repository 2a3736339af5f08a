// Open addressing with linear probing, erasing without tombstones, and growing in steps.
//
// A cell knows its hash and whether it is used.  While the table grows nothing is looked up: whoever needs it first has the
// rest moved at once.
#pragma once

#include <algorithm>
#include <bit>

#include "deadline.h"
#include "group_memory.h"

namespace tableflow {

template <class Cell> class Directory {
 public:
  uint64_t mask() const { return mask_; }
  size_t used() const { return used_; }
  size_t size() const { return cells_.size(); }
  Cell& operator[](uint64_t i) { return cells_[i]; }
  const Cell& operator[](uint64_t i) const { return cells_[i]; }
  void prefetch(uint64_t hash) const { __builtin_prefetch(&cells_[hash & mask_]); }

  // The cell for which `same` holds, or the free one where it would be.  There is room after reserve(1).
  template <class Same> uint64_t find(uint64_t hash, Same same) const {
    for (uint64_t i = hash & mask_;; i = (i + 1) & mask_)
      if (!cells_[i].used() || same(cells_[i])) return i;
  }
  void put(uint64_t at, const Cell& cell) {
    cells_[at] = cell;
    ++used_;
  }
  void erase(uint64_t hole) {
    for (uint64_t i = (hole + 1) & mask_; cells_[i].used(); i = (i + 1) & mask_) {
      if (((i - (cells_[i].hash() & mask_)) & mask_) < ((i - hole) & mask_)) continue;
      cells_[hole] = cells_[i];
      hole = i;
    }
    cells_[hole] = Cell{};
    --used_;
  }

  // No more room than its cells need; nothing may be growing.
  void shrink() {
    if (slots_for(int64_t(used_)) >= cells_.size()) return;
    old_.swap(cells_);
    cells_.release();
    cells_.resize_zero(slots_for(int64_t(used_)));
    mask_ = cells_.size() - 1;
    moved_ = 0;
    move(SIZE_MAX);
  }
  // Room for n more.
  void reserve(int64_t n) {
    if (begin(n)) move(SIZE_MAX);
  }
  // The same in steps of some milliseconds; false while there is more to do.
  bool prepare(int64_t n) {
    if (!begin(n)) return true;
    for (const Deadline deadline; !old_.empty() && !deadline.passed();) move(1024);
    return old_.empty();
  }
  static size_t slots_for(int64_t n) { return std::bit_ceil(std::max<size_t>(64, size_t(n) * 5 / 3 + 1)); }
  int64_t bytes() const { return int64_t((cells_.capacity() + old_.capacity()) * sizeof(Cell)); }
  int64_t bytes_after(int64_t n) const {
    const size_t wanted = slots_for(int64_t(used_) + n);
    return wanted > cells_.size() ? int64_t((wanted + cells_.capacity()) * sizeof(Cell)) : bytes();
  }
  void clear() {
    cells_.release();
    old_.release();
    used_ = moved_ = 0;
    mask_ = 0;
  }

 private:
  // Whether there is something to move.
  bool begin(int64_t n) {
    if (!old_.empty()) return true;
    const size_t wanted = slots_for(int64_t(used_) + n);
    if (wanted <= cells_.size()) return false;
    old_.swap(cells_);
    cells_.release();
    cells_.resize_zero(wanted);
    mask_ = wanted - 1;
    moved_ = 0;
    return !old_.empty();
  }
  void move(size_t cells) {
    const size_t end = std::min(old_.size(), cells > old_.size() - moved_ ? old_.size() : moved_ + cells);
    for (; moved_ < end; ++moved_) {
      const Cell& cell = old_[moved_];
      if (!cell.used()) continue;
      uint64_t i = cell.hash() & mask_;
      while (cells_[i].used()) i = (i + 1) & mask_;
      cells_[i] = cell;
    }
    if (moved_ == old_.size()) old_.release();
  }

  Array<Cell> cells_, old_;
  uint64_t mask_ = 0;
  size_t used_ = 0, moved_ = 0;
};

}  // namespace tableflow
