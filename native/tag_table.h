// Numbers by hash: open addressing with linear probing, 32 bits of the hash beside each number; what belongs to a number is its owner's.
//
// The upper bits of the tag say where a slot is, so slots lie in the order of their tags: a larger table is filled by reading the
// old one from begin to end and writing the new one the same way.  Large tables grow by half, so that little is free.
#pragma once

#include <algorithm>
#include <cstdint>

#include "group_memory.h"

namespace tableflow {

class TagTable {
 public:
  struct Slot {
    uint32_t tag;
    uint32_t entry;  // number + 1; 0 is empty
  };

  static uint32_t tag_of(uint64_t hash) { return uint32_t(hash); }
  bool holds(size_t entries) const { return entries * 5 / 3 < slots_.size(); }
  // Whether slots of a smaller table have yet to be moved; nothing is found or inserted before.
  bool moving() const { return moved_ < old_.size(); }
  // Begins to grow until it holds so many.
  void grow(size_t entries) {
    old_.swap(slots_);
    moved_ = 0;
    slots_.release();
    slots_.resize_zero(slots_for(entries, old_.size()));
    if (old_.empty()) finish();
  }
  void move(size_t slots) {
    const size_t end = std::min(old_.size(), moved_ + slots), count = slots_.size();
    Slot* const to = slots_.data();
    Slot used[64];  // which slots are used is as good as random: no branch depends on it
    while (moved_ < end) {
      size_t n = 0;
      for (const size_t stop = std::min(end, moved_ + 64); moved_ < stop; ++moved_) {
        used[n] = old_[moved_];
        n += old_[moved_].entry != 0;
      }
      for (size_t k = 0; k < n; ++k) {
        size_t i = place(used[k].tag);
        while (to[i].entry) i = i + 1 == count ? 0 : i + 1;
        to[i] = used[k];
      }
    }
    if (moved_ == old_.size()) finish();
  }
  // Makes room at once.
  void reserve(size_t entries) {
    if (moving()) move(old_.size());
    if (holds(entries)) return;
    grow(entries);
    move(old_.size());
  }
  void prefetch(uint32_t tag) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[place(tag)], 1);
  }
  // The number of the first entry with this tag, or `none`: most likely the one that is looked for.
  static constexpr uint32_t none = UINT32_MAX;
  uint32_t likely(uint32_t tag) const {
    const Slot* const slots = slots_.data();
    const size_t count = slots_.size();
    for (size_t i = place(tag);; i = i + 1 == count ? 0 : i + 1)
      if (!slots[i].entry || slots[i].tag == tag) return slots[i].entry - 1;  // 0 - 1 is none
  }
  // The slot of the entry with this tag that is the `same`, or the empty one where it would be.
  template <class Same> Slot& find(uint32_t tag, Same same) {
    Slot* const slots = slots_.data();
    const size_t count = slots_.size();
    for (size_t i = place(tag);; i = i + 1 == count ? 0 : i + 1)
      if (!slots[i].entry || (slots[i].tag == tag && same(slots[i].entry - 1))) return slots[i];
  }
  int64_t bytes() const { return int64_t((slots_.size() + old_.size()) * sizeof(Slot)); }
  // At the most, while it is made to hold so many.
  int64_t bytes_for(size_t entries) const {
    return bytes() + (holds(entries) ? 0 : int64_t(slots_for(entries, slots_.size()) * sizeof(Slot)));
  }

 private:
  static constexpr size_t large = 1 << 16;  // slots
  size_t place(uint32_t tag) const { return size_t(uint64_t(tag) * slots_.size() >> 32); }
  static size_t slots_for(size_t entries, size_t before) { 
    return std::max({entries * 5 / 3 + 1, before < large ? 2 * before : before + before / 2, size_t(1024)});
  }
  void finish() {
    old_.release();
    moved_ = 0;
  }

  Array<Slot> slots_, old_;
  size_t moved_ = 0;  // slots of the old table
};

}  // namespace tableflow
