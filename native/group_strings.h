// Distinct strings under dense numbers, in order of first appearance; single owner, append only.
//
// What `at` gives is good until the next string is added.
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
  void prefetch(uint64_t hash) const {
    slots_.prefetch(TagTable::tag_of(hash));
  }
  // Texts of large pools lie anywhere in memory, so they are asked for before they are compared: after `prefetch`, and with what `likely`
  // gives then, which may be none.
  bool is_large() const { return slots_.bytes() > kCached; }
  uint32_t likely(uint64_t hash) const {
    const uint32_t id = slots_.likely(TagTable::tag_of(hash));
    if (id != TagTable::none) __builtin_prefetch(ends_.data() + id);
    return id;
  }
  void prefetch_text(uint32_t id) const {
    const std::string_view text = at(id);
    __builtin_prefetch(text.data());
    if (text.size() > 1) __builtin_prefetch(text.data() + std::min<size_t>(text.size() - 1, 64));
  }
  // Makes room, so that the next `n` calls do not rehash between a prefetch and its use.
  void reserve(int64_t n);
  // The same in steps of some milliseconds, if there are many entries; false while there is more to do.  What is left is done at the next use.
  bool prepare(int64_t n, const Deadline& deadline);

  int64_t size() const { return int64_t(ends_.size()); }
  bool is_null(uint32_t id) const { return id == null_; }
  std::string_view at(uint32_t id) const {
    const uint64_t begin = id ? end(id - 1) : 0;
    return {text_.data() + begin, size_t(end(id) - begin)};
  }
  int64_t bytes() const;
  // All entries as a vector of strings (a dictionary for codes); kept until the pool grows.
  const VectorPtr& vector();

 private:
  static constexpr int64_t kCached = 1 << 18;
  uint64_t end(uint32_t id) const { return ends_[id] | (far_.empty() ? 0 : uint64_t(far_[id]) << 32); }
  void push_back(std::string_view text);

  TagTable slots_;
  Array<char> text_;      // of all entries, one behind the other
  Array<uint32_t> ends_;  // of each entry's text: the low half
  Array<uint8_t> far_;    // and what is beyond 4 GiB, if anything is
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
