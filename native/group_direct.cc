// Groups of one integer column by an array over its values.
#include <algorithm>

#include "group_index.h"

namespace tableflow {

void KeyIndex::leave_direct() {
  if (mode_ != Mode::Direct) return;
  mode_ = Mode::OneWord;
  frozen_ = size_;
  if (frozen_ == 0) direct_.release();
}

bool KeyIndex::find_direct(int n, const int64_t* values, const uint8_t* nulls, uint32_t* groups) {
  int64_t least = INT64_MAX, most = INT64_MIN;
  for (int i = 0; i < n; ++i) {
    if (nulls && nulls[i]) continue;
    least = std::min(least, values[i]);
    most = std::max(most, values[i]);
  }
  if (least <= most && !cover(least, most, n)) return false;
  for (int i = 0; i < n; ++i) {
    if (nulls && nulls[i]) {
      groups[i] = null_group();
      continue;
    }
    uint32_t& cell = direct_[size_t(values[i] - base_)];
    if (cell == 0) {
      cell = next_group() + 1;
      words_.push_back(uint64_t(values[i]));
    }
    groups[i] = cell - 1;
  }
  return true;
}

// Makes the array reach over the values; false when it would have too many cells for so few groups.
bool KeyIndex::cover(int64_t least, int64_t most, int n) {
  const int64_t end = direct_.empty() ? 0 : base_ + int64_t(direct_.size()) - 1;
  if (!direct_.empty() && least >= base_ && most <= end) return true;
  const int64_t low = direct_.empty() ? least : std::min(least, base_);
  const int64_t high = direct_.empty() ? most : std::max(most, end);
  const int64_t allowed = std::max(direct_least, direct_ratio * (size_ + n));
  int64_t cells;
  if (__builtin_sub_overflow(high, low, &cells) || cells >= allowed) return false;
  ++cells;
  // Slack on the side that grew, so that ascending and descending keys cost amortised constant time.
  int64_t slack = std::min(allowed - cells, std::max<int64_t>(cells / 2, 1024));
  int64_t start = low;
  if (!direct_.empty() && least < base_) {
    if (__builtin_sub_overflow(low, slack, &start)) {
      start = low;
      slack = 0;
    }
  } else if (int64_t last; __builtin_add_overflow(high, slack, &last)) {
    slack = 0;
  }
  if (direct_.empty() || start == base_) {
    direct_.resize_zero(size_t(cells + slack));
  } else {
    Array<uint32_t> wider;
    wider.resize_zero(size_t(cells + slack));
    std::copy_n(direct_.data(), direct_.size(), wider.data() + (base_ - start));
    direct_.swap(wider);
  }
  base_ = start;
  return true;
}

// Instead of growing the hash table: whether the keys seen turned out to lie close together.  Then the array is to be filled.
bool KeyIndex::become_direct() {
  for (; compared_ < size_; ++compared_) {
    if (compared_ == null_group_) continue;
    least_ = std::min(least_, int64_t(words_[size_t(compared_)]));
    most_ = std::max(most_, int64_t(words_[size_t(compared_)]));
  }
  if (least_ > most_ || !cover(least_, most_, 0)) return false;
  word_slots_.release();
  mode_ = Mode::Direct;
  moved_ = frozen_ < size_ ? frozen_ : INT64_MAX;
  frozen_ = 0;
  return true;
}

}  // namespace tableflow
