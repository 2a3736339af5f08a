#include "window.h"

namespace tableflow::windows {

namespace {

bool is_text(const Vector& v) { return v.kind == Kind::Str || v.kind == Kind::LargeStr || v.kind == Kind::Dict; }

template <class Same> void mark(const Vector& v, int64_t n, uint8_t* changed, Same same) {
  if (!v.has_nulls() && v.kind != Kind::Dict) {
    for (int64_t i = 1; i < n; ++i) changed[i] |= uint8_t(!same(i));
    return;
  }
  bool before = n && sorting::is_null(v, 0);
  for (int64_t i = 1; i < n; ++i) {
    const bool missing = sorting::is_null(v, i);
    changed[i] |= uint8_t(missing != before || (!missing && !same(i)));
    before = missing;
  }
}

// Comparison of a key with a bound under one direction; the kinds are looked at once.
template <class F> void with_comparison(const Vector& keys, const Vector& bounds, sorting::Direction direction, F f) {
  const auto compare = [direction](bool no_key, bool no_bound, auto order) {
    if (no_key || no_bound) return no_key == no_bound ? 0 : no_key == direction.nulls_first ? -1 : 1;
    const int c = order();
    return direction.descending ? -c : c;
  };
  sorting::with_numbers(keys, [&](auto key) {
    sorting::with_numbers(bounds, [&](auto bound) {
      f([&, key, bound](int64_t row, int64_t of) {
        return compare(sorting::is_null(keys, row), sorting::is_null(bounds, of), [&] {
          const int128 a = key(row), b = bound(of);
          return a < b ? -1 : int(a > b);
        });
      });
    });
  });
}

}  // namespace

std::vector<int64_t> key_changes(Columns keys, int64_t n) {
  std::vector<uint8_t> changed(size_t(n), 0);
  for (const VectorPtr& column : keys) {
    const Vector& v = *column;
    if (v.length != n) throw std::invalid_argument("key columns have different lengths");
    if (v.kind == Kind::Nested) throw std::invalid_argument("values of a nested type have no order");
    if (v.kind == Kind::Null) continue;
    if (v.kind == Kind::Dict) {
      mark(v, n, changed.data(), [&v](int64_t i) {
        return v.code(i) == v.code(i - 1) || sorting::text_of(v, i) == sorting::text_of(v, i - 1);
      });
    } else if (is_text(v)) {
      mark(v, n, changed.data(), [&v](int64_t i) { return v.str(i) == v.str(i - 1); });
    } else {
      sorting::with_numbers(v, [&](auto get) { mark(v, n, changed.data(), [get](int64_t i) { return get(i) == get(i - 1); }); });
    }
  }
  std::vector<int64_t> found;
  for (int64_t i = 1; i < n; ++i)
    if (changed[size_t(i)]) found.push_back(i);
  return found;
}

void range_ends(const Vector& keys, const Vector& bounds, int64_t first, Ends partition, sorting::Direction direction, bool beyond,
                int64_t* out) {
  if (is_text(keys) || is_text(bounds)) throw std::invalid_argument("a RANGE frame is over numbers");
  if (bounds.length != keys.length || first < 0 || first + partition.n > keys.length)
    throw std::invalid_argument("bounds and keys have different lengths");
  if (keys.kind == Kind::Null || bounds.kind == Kind::Null) {  // all rows are peers
    for (int64_t i = 0; i < partition.n; ++i) out[i] = beyond ? partition.high[i] : partition.low[i];
    return;
  }
  with_comparison(keys, bounds, direction, [&](auto compare) {
    int64_t at = 0, start = -1;
    const auto ends = [&](int64_t row, int64_t of) { return beyond ? compare(row, of) > 0 : compare(row, of) >= 0; };
    for (int64_t i = 0; i < partition.n; ++i) {
      const int64_t end = partition.high[i];
      if (partition.low[i] < 0 || end > keys.length) throw std::out_of_range("a partition leaves its rows");
      if (start != partition.low[i]) at = start = partition.low[i];
      const bool back = at > start && ends(at - 1, first + i);
      if (i == 0 || back) {  // somewhere in the middle of a partition: the rows before need not be looked at one by one
        int64_t high = back ? at - 1 : end;
        for (at = start; at < high;) {
          const int64_t middle = at + (high - at) / 2;
          if (ends(middle, first + i)) {
            high = middle;
          } else {
            at = middle + 1;
          }
        }
      } else {
        while (at < end && !ends(at, first + i)) ++at;
      }
      out[i] = at;
    }
  });
}

}  // namespace tableflow::windows
