// Distinct strings under dense numbers, in order of first appearance; single owner, append only.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "deadline.h"
#include "group_memory.h"
#include "vector.h"

namespace tableflow {

class StringPool {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  uint32_t intern(std::string_view text, uint64_t hash);
  // Number of the one entry that stands for NULL; made on first use.
  uint32_t intern_null();
  void prefetch(uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & mask_]);
  }
  // Makes room, so that the next `n` calls do not rehash between a prefetch and its use.
  void reserve(int64_t n);
  // The same in steps of some milliseconds, if there are many entries; false while there is more to do.  What is left is done at the next use.
  bool prepare(int64_t n, const Deadline& deadline);

  int64_t size() const { return int64_t(entries_.size()); }
  bool is_null(uint32_t id) const { return id == null_; }
  std::string_view at(uint32_t id) const { return entries_[id]; }
  int64_t bytes() const;
  // All entries as a vector of strings (a dictionary for codes); kept until the pool grows.
  const VectorPtr& vector();

 private:
  struct Slot {
    uint32_t tag;
    uint32_t entry;  // number + 1; 0 is empty
  };
  std::string_view keep(std::string_view text);
  size_t capacity_for(int64_t n) const;
  void begin_rehash(size_t capacity);
  void rehash_until(size_t end);

  Array<Slot> slots_;
  uint64_t mask_ = 0;
  size_t moved_ = SIZE_MAX;  // while a new table is filled: the entries that are in it
  Array<std::string_view> entries_;
  Array<uint64_t> hashes_;
  std::vector<std::unique_ptr<char[]>> pages_;
  size_t page_used_ = 0, page_size_ = 0;
  int64_t page_bytes_ = 0;
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
