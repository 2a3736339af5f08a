#include "sort_compare.h"

namespace tableflow::sorting {

namespace {

int128 number(const Vector& v, int64_t row) {
  int128 value = 0;
  with_numbers(v, [&](auto get) { value = get(row); });
  return value;
}

bool is_text(const Vector& v) { return v.kind == Kind::Str || v.kind == Kind::LargeStr || v.kind == Kind::Dict; }

int compare_values(const Vector& a, int64_t row_a, const Vector& b, int64_t row_b, Direction direction) {
  const bool null_a = is_null(a, row_a), null_b = is_null(b, row_b);
  if (null_a || null_b) return null_a == null_b ? 0 : null_a == direction.nulls_first ? -1 : 1;
  if (is_text(a) != is_text(b)) throw std::invalid_argument("keys of different types are compared");
  int c;
  if (is_text(a)) {
    c = compare_text(text_of(a, row_a), text_of(b, row_b));
  } else {
    const int128 x = number(a, row_a), y = number(b, row_b);
    c = x < y ? -1 : x > y;
  }
  return direction.descending ? -c : c;
}

// How the first key of each candidate compares, when it is a number: f(row) -> -1, 0, 1.
template <class Get> auto first_key(const Vector& v, Get get, bool null_threshold, int128 threshold, Direction direction) {
  using Number = decltype(get(0));
  const Number bound = Number(threshold);
  const int null_result = null_threshold ? 0 : direction.nulls_first ? -1 : 1;
  const int value_result = direction.nulls_first ? 1 : -1;
  return [=, &v](int64_t row) {
    if (v.validity && !v.valid(row)) return null_result;
    if (null_threshold) return value_result;
    const Number value = get(row);
    const int c = value < bound ? -1 : value > bound;
    return direction.descending ? -c : c;
  };
}

}  // namespace

int compare_rows(Keys a, int64_t row_a, Keys b, int64_t row_b, std::span<const Direction> directions) {
  for (size_t c = 0; c < directions.size(); ++c)
    if (const int result = compare_values(*a[c], row_a, *b[c], row_b, directions[c])) return result;
  return 0;
}

int64_t lower_bound(Keys sorted, int64_t n, Keys keys, int64_t row, std::span<const Direction> directions) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (compare_rows(sorted, middle, keys, row, directions) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

int64_t rows_before(Keys columns, const uint32_t* selection, int64_t n, Keys keys, int64_t row,
                    std::span<const Direction> directions, uint32_t* out) {
  int64_t kept = 0;
  const auto rest = directions.subspan(1);
  const auto scan = [&](auto first) {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t candidate = selection ? selection[i] : i;
      const int c = first(candidate);
      if (c > 0) continue;
      if (c == 0 && compare_rows(columns.subspan(1), candidate, keys.subspan(1), row, rest) >= 0) continue;
      out[kept++] = uint32_t(candidate);
    }
  };
  const Vector& v = *columns[0];
  const Vector& bound = *keys[0];
  if (is_text(v) || v.kind == Kind::Null) {
    scan([&](int64_t candidate) { return compare_values(v, candidate, bound, row, directions[0]); });
    return kept;
  }
  const bool null_threshold = is_null(bound, row);
  const int128 threshold = null_threshold ? 0 : number(bound, row);
  const bool narrow = threshold == int128(int64_t(threshold));
  with_numbers(v, [&](auto get) {
    if (narrow || sizeof(get(0)) == 16) {
      scan(first_key(v, get, null_threshold, threshold, directions[0]));
    } else {  // a threshold beyond 64 bits, from a wider representation of the same type
      scan([&](int64_t candidate) { return compare_values(v, candidate, bound, row, directions[0]); });
    }
  });
  return kept;
}

}  // namespace tableflow::sorting
