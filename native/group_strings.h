// Distinct strings under dense numbers, in order of first appearance; single owner, append only.
//
// The table of hashes tells where a text lies, and before the text stand its number and length: to find one takes two looks into memory
// that is as far away as can be, the slot and the text.  What `at` gives is good until the next string is added.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "deadline.h"
#include "group_memory.h"
#include "tag_table.h"
#include "vector.h"

namespace tableflow {

class StringPool {
 public:
  static constexpr uint32_t none = UINT32_MAX;
  static constexpr int bits = 31;  // of a number

  uint32_t intern(std::string_view text, uint64_t hash);
  // Number of the one entry that stands for NULL; made on first use.
  uint32_t intern_null();
  __attribute__((always_inline)) void prefetch(uint64_t hash) const { slots_.prefetch(TagTable::tag_of(hash)); }
  // Texts of large pools lie anywhere in memory, so they are asked for before they are compared: a while after `prefetch`.
  // (Inlined because g++ takes a function that does nothing but this for one that does nothing.)
  bool is_large() const { return slots_.bytes() > kCached; }
  __attribute__((always_inline)) void prefetch_text(uint64_t hash, size_t length) const {
    const uint32_t place = slots_.likely(TagTable::tag_of(hash));
    if (place == TagTable::none) return;
    const char* const entry = text_.data() + size_t(place) * unit;
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + head_bytes + std::min<size_t>(length, 64) - 1);
  }
  // Makes room, so that the next `n` calls do not rehash between a prefetch and its use.
  void reserve(int64_t n);
  // The same in steps of some milliseconds, if there are many entries; false while there is more to do.  What is left is done at the next use.
  bool prepare(int64_t n, const Deadline& deadline);

  int64_t size() const { return int64_t(places_.size()); }
  bool is_null(uint32_t id) const { return id == null_; }
  std::string_view at(uint32_t id) const { return text(places_[id]); }
  int64_t bytes() const;
  // All entries as a vector of strings (a dictionary for codes); kept until the pool grows.
  const VectorPtr& vector();

 private:
  static constexpr int64_t kCached = 1 << 18;
  static constexpr size_t unit = 4;  // entries begin at multiples of it: number, length, text
  static constexpr size_t head_bytes = 5;
  static constexpr uint8_t is_long = 255;  // then four more bytes tell how long

  uint32_t number(uint32_t place) const {
    uint32_t found;
    std::memcpy(&found, text_.data() + size_t(place) * unit, sizeof(found));
    return found;
  }
  std::string_view text(uint32_t place) const {
    const char* const begin = text_.data() + size_t(place) * unit + head_bytes;
    const auto length = uint8_t(begin[-1]);
    if (length < is_long) [[likely]]
      return {begin, length};
    uint32_t longer;
    std::memcpy(&longer, begin, sizeof(longer));
    return {begin + sizeof(longer), longer};
  }
  void push_back(std::string_view text);

  TagTable slots_;  // of places
  Array<char> text_;
  Array<uint32_t> places_;  // of each entry, in units
  uint64_t text_bytes_ = 0;
  uint32_t null_ = none;
  VectorPtr vector_;
};

// Strings written one after the other as an Arrow string vector (large when beyond 2 GiB).
class StringWriter {
 public:
  StringWriter(int64_t rows, int64_t bytes);
  void append(std::string_view text);
  void append_null();
  VectorPtr finish(bool binary);

 private:
  BufferPtr offsets_, data_, validity_;
  int64_t rows_, row_ = 0, at_ = 0, nulls_ = 0;
  bool large_;
  void end_row();
};

}  // namespace tableflow
