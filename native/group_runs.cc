// Groups of one integer column whose rows come in order: rows of equal keys follow each other, so nothing is looked up.
//
// Rows come in ascending pieces.  What has been seen lies in segments: intervals of values that may touch but do not overlap.  A piece
// goes behind a segment or between two of them, and so meets their outermost groups alone.  A piece that is in no order, or lies
// within a segment, ends it: then the groups are put into an array or a hash table as if they had come in any order.
#include <algorithm>

#include "group_index.h"

namespace tableflow {

namespace {

constexpr size_t most_segments = 1 << 12;
constexpr uint64_t usual_gap = 1 << 10;

bool ascends(int n, const int64_t* values) {
  bool falls = false;
  for (int i = 1; i < n; ++i) falls |= values[i] < values[i - 1];
  return !falls;
}

}  // namespace

bool KeyIndex::find_runs(int n, const int64_t* values, uint32_t* groups) {
  if (!ascends(n, values)) return false;
  if (size_ + n >= int64_t(UINT32_MAX) - 2) throw std::length_error("too many groups");
  const int64_t low = values[0], high = values[n - 1];
  auto next = std::upper_bound(segments_.begin(), segments_.end(), low, [](int64_t value, const Segment& s) { return value < s.low; });
  const auto before = next == segments_.begin() ? segments_.end() : next - 1;
  if (before != segments_.end() && before->high > low) return false;
  if (next != segments_.end() && next->low < high) return false;
  // Rows of groups that are there: the first ones may be of the last group before, the last ones of the first group behind.
  int from = 0, to = n;
  if (before != segments_.end() && before->high == low)
    for (; from < n && values[from] == low; ++from) groups[from] = before->last;
  if (next != segments_.end() && next->low == high)
    for (; to > from && values[to - 1] == high; --to) groups[to - 1] = next->first;
  if (from == to) return true;
  const uint32_t first = uint32_t(size_);
  words_.resize_raw(size_t(size_) + size_t(to - from));
  uint64_t* words = words_.data();
  uint32_t group = first;
  words[group] = uint64_t(values[from]);
  groups[from] = group;
  for (int i = from + 1; i < to; ++i) {
    group += values[i] != values[i - 1];
    words[group] = uint64_t(values[i]);
    groups[i] = group;
  }
  size_ = int64_t(group) + 1;
  words_.resize_raw(size_t(size_));
  // What others read may come between two pieces that are far apart: these are segments of their own.
  const uint64_t width = uint64_t(high) - uint64_t(low);
  const uint64_t most = width > UINT64_MAX - usual_gap ? UINT64_MAX : width + usual_gap;
  if (before != segments_.end() && uint64_t(values[from]) - uint64_t(before->high) <= most) {
    before->high = values[to - 1];
    before->last = group;
  } else if (segments_.size() < most_segments) {
    segments_.insert(next, {values[from], values[to - 1], first, group});
  } else {
    leave_runs();
  }
  return true;
}

// From now on groups are looked up.
void KeyIndex::leave_runs() {
  if (mode_ != Mode::Runs) return;
  segments_ = {};
  mode_ = size_ ? Mode::OneWord : Mode::Direct;
}

}  // namespace tableflow
