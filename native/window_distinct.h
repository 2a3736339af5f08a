// How often each value lies in a frame: what DISTINCT needs to know when values enter and leave.
#pragma once

#include <unordered_map>

#include "window.h"

namespace tableflow::windows {

// Values as keys of a set: numbers by their order, so that equal values are one key; texts by their bytes.
struct NumberHash {
  size_t operator()(int128 value) const { return size_t((uint64_t(value) ^ uint64_t(value >> 64) * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu); }
};

// How often each value lies in the frame.
class Multiplicities {
 public:
  explicit Multiplicities(const Vector& v) : v_(v), text_(v.kind == Kind::Str || v.kind == Kind::LargeStr || v.kind == Kind::Dict) {}
  // Whether it is the first of its value.
  bool enter(int64_t row) { return text_ ? ++texts_[sorting::text_of(v_, row)] == 1 : ++numbers_[number(row)] == 1; }
  // Whether it was the last of its value.
  bool leave(int64_t row) {
    if (text_) {
      const auto found = texts_.find(sorting::text_of(v_, row));
      if (--found->second) return false;
      texts_.erase(found);
      return true;
    }
    const auto found = numbers_.find(number(row));
    if (--found->second) return false;
    numbers_.erase(found);
    return true;
  }
  void clear() {
    numbers_.clear();
    texts_.clear();
  }
  int64_t bytes() const { return int64_t(numbers_.size() + texts_.size()) * 56; }

 private:
  int128 number(int64_t row) const {
    int128 value = 0;
    sorting::with_numbers(v_, [&](auto get) { value = get(row); });
    return value;
  }
  const Vector& v_;
  bool text_;
  std::unordered_map<int128, int64_t, NumberHash> numbers_;
  std::unordered_map<std::string_view, int64_t> texts_;
};

}  // namespace tableflow::windows
