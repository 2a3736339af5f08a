// Numbers by hash: open addressing with linear probing, 32 bits of the hash beside each number; what belongs to a number is its owner's.
//
// The upper bits of the tag say where a slot is, so slots lie in the order of their tags: a table grows where it lies, from its end to
// its begin, because no slot moves to where a smaller tag still is.  What memory it gets is touched once.  Large tables grow by half, so
// that little is free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

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
  // Whether slots have yet to be moved to where they belong in the larger table; nothing is found or inserted before.
  bool moving() const { return unmoved_ > 0; }
  // Begins to grow until it holds so many.
  void grow(size_t entries) {
    const size_t before = slots_.size();
    slots_.resize_zero(slots_for(entries, before));
    unmoved_ = before;
  }
  // So many slots may be moved between looks at the clock: they are written in order.
  static constexpr size_t stride = 1024;
  void move(size_t slots) {
    constexpr size_t block = 64;
    Slot* const all = slots_.data();
    const size_t end = unmoved_ - std::min(unmoved_, slots);
    Slot used[block];  // which slots are used is as good as random: no branch depends on it
    while (unmoved_ > end) {
      const size_t begin = std::max(end, unmoved_ - std::min(unmoved_, block));
      size_t n = 0;
      for (size_t i = unmoved_; i-- > begin;) {
        used[n] = all[i];
        n += all[i].entry != 0;
      }
      std::memset(static_cast<void*>(all + begin), 0, (unmoved_ - begin) * sizeof(Slot));
      unmoved_ = begin;
      for (size_t k = 0; k < n; ++k) put(used[k]);
    }
    if (unmoved_) return;
    for (const Slot& slot : waiting_) {
      size_t i = place(slot.tag);
      while (all[i].entry) i = i + 1 == slots_.size() ? 0 : i + 1;
      all[i] = slot;
    }
    waiting_.clear();
  }
  // Makes room at once.
  void reserve(size_t entries) {
    if (moving()) move(unmoved_);
    if (holds(entries)) return;
    grow(entries);
    move(unmoved_);
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
  int64_t bytes() const { return int64_t(slots_.size() * sizeof(Slot)); }
  // When it has been made to hold so many.
  int64_t bytes_for(size_t entries) const {
    return holds(entries) ? bytes() : int64_t(slots_for(entries, slots_.size()) * sizeof(Slot));
  }

 private:
  static constexpr size_t large = 1 << 16;  // slots
  size_t place(uint32_t tag) const { return size_t(uint64_t(tag) * slots_.size() >> 32); }
  static size_t slots_for(size_t entries, size_t before) {
    return std::max({entries * 5 / 3 + 1, before < large ? 2 * before : before + before / 2, size_t(1024)});
  }
  // A slot that was displaced so far that it belongs to what has not been moved yet, or behind the end, waits.
  void put(const Slot& slot) {
    Slot* const all = slots_.data();
    const size_t count = slots_.size();
    size_t i = place(slot.tag);
    if (i >= unmoved_)
      while (i < count && all[i].entry) ++i;
    if (i < unmoved_ || i == count) waiting_.push_back(slot);
    else all[i] = slot;
  }

  Array<Slot> slots_;
  size_t unmoved_ = 0;  // the first slots, which lie as in the smaller table
  std::vector<Slot> waiting_;
};

}  // namespace tableflow
