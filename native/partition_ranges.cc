#include "partition_ranges.h"

#include <algorithm>
#include <stdexcept>

namespace tableflow {

namespace {

template <class T> std::pair<T, T> bounds(const T* values, int64_t n) {
  T least = values[0], most = values[0];
  for (int64_t i = 0; i < n; ++i) {
    least = std::min(least, values[i]);
    most = std::max(most, values[i]);
  }
  return {least, most};
}

}  // namespace

RangePartition::RangePartition(const std::string& format, std::span<const int64_t> boundaries, uint32_t parts)
    : column_(format), boundaries_(boundaries), parts_(parts) {
  if (column_.key_class != KeyClass::Integer) throw std::invalid_argument("only integers lie in ranges");
  if (parts == 0) throw std::invalid_argument("rows are partitioned into at least one part");
}

uint32_t RangePartition::range_of(int64_t value) const {
  return uint32_t(std::upper_bound(boundaries_.begin(), boundaries_.end(), value) - boundaries_.begin());
}

// f(first row of the piece, its rows, whether any is NULL), with their values at hand; false ends it.
template <class F> void RangePartition::each_piece(const Input& input, const uint32_t* rows, int64_t n, F f) {
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    if (!f(first, piece.n, load_fixed(column_, input, piece, values_.data(), nulls_.data()))) return;
  }
}

// The same for values that lie one after the other, without taking them out.
template <class T> int64_t RangePartition::only_stored(const Vector& v, int64_t n) const {
  const T* values = v.values<T>();
  const auto [least, most] = bounds(values, n);
  const uint32_t range = range_of(int64_t(least));
  return range == range_of(int64_t(most)) ? int64_t(range % parts_) : -1;
}

int64_t RangePartition::only(const Input& input, const uint32_t* rows, int64_t n) {
  const Vector& v = *input.vector;
  if (!rows && !v.validity && n > 0) {
    if (v.kind == Kind::I64 && column_.kind == Kind::I64) return only_stored<int64_t>(v, n);
    if (v.kind == Kind::I32 && width(column_.kind) >= 4) return only_stored<int32_t>(v, n);
  }
  int64_t range = -1;
  bool one = true;
  each_piece(input, rows, n, [&](int64_t, int count, bool any_null) {
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (int i = 0; i < count; ++i) {
      least = std::min(least, values_[size_t(i)]);
      most = std::max(most, values_[size_t(i)]);
    }
    const int64_t low = range_of(least);
    one = !any_null && low == range_of(most) && (range < 0 || range == low);
    range = low;
    return one;
  });
  return one && range >= 0 ? range % parts_ : -1;
}

void RangePartition::deal(const Input& input, const uint32_t* selection, int64_t n, uint32_t* rows, int64_t* starts) {
  std::vector<uint32_t> part(static_cast<size_t>(n));
  std::vector<int64_t> next(size_t(parts_) + 1, 0);
  each_piece(input, selection, n, [&](int64_t first, int count, bool any_null) {
    uint32_t range = 0;  // of the row before: mostly of this one, too
    int64_t low = INT64_MIN, high = boundaries_.empty() ? INT64_MAX : boundaries_[0];
    for (int i = 0; i < count; ++i) {
      const int64_t value = values_[size_t(i)];
      uint32_t own = range;
      if (any_null && nulls_[size_t(i)]) {
        own = 0;
      } else if (value < low || value >= high) {
        own = range = range_of(value);
        low = range ? boundaries_[range - 1] : INT64_MIN;
        high = range < boundaries_.size() ? boundaries_[range] : INT64_MAX;
      }
      part[size_t(first + i)] = own % parts_;
      ++next[size_t(own % parts_) + 1];
    }
    return true;
  });
  for (uint32_t p = 0; p < parts_; ++p) next[p + 1] += next[p];
  std::copy(next.begin(), next.end(), starts);
  for (int64_t i = 0; i < n; ++i) rows[next[part[size_t(i)]]++] = selection ? selection[i] : uint32_t(i);
}

}  // namespace tableflow
