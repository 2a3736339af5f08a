// Normalised sort keys: one string of bits per row whose unsigned order is the ORDER BY order.
//
// Every key column becomes an optional NULL bit and a number in as few bits as the values at hand need: its distance from the
// smallest (from the largest when descending).  Floats count in IEEE total order with -0.0 = 0.0 and one NaN above all numbers.
// Strings that differ only in few bytes are bits too (bytes, then length); longer ones give a prefix of eight bytes, and rows that
// tie there are compared in full before later columns.  A layout is made from statistics and is valid for all rows inside them,
// whatever their representation; keys of one layout compare with each other, across vectors.
// After Graefe, "Implementing Sorting in Database Systems" (2006), section 3.
#pragma once

#include <optional>
#include <span>

#include "vector.h"

namespace tableflow::sorting {

using uint128 = unsigned __int128;

struct Direction {
  bool descending = false;
  bool nulls_first = false;
};

// What is known of the values of one key column.
struct KeyStatistics {
  bool text = false;
  bool nulls = false;
  bool values = false;           // some row is not NULL
  int128 minimum = 0, maximum = 0;
  std::string common;            // text: all values begin with this
  int64_t longest = 0;           // text: bytes
  bool covers(const KeyStatistics& other) const;
  void add(const KeyStatistics& other);
};

KeyStatistics key_statistics(const Vector& vector);

// Where one column lies in the key.
struct KeyField {
  bool text = false;
  bool exact = true;             // false: ties must be compared as strings
  Direction direction;
  int null_bits = 0, bits = 0;   // text: bits of bytes and length together
  int64_t position = 0;          // first bit
  int128 base = 0;               // subtracted (ascending) or subtracted from (descending)
  int64_t skipped = 0;           // text: bytes of the common beginning
  int text_bytes = 0, length_bits = 0;
};

// After the words [first, last) have tied, `column` (if >= 0) is compared as strings.
struct KeyLevel {
  int first = 0, last = 0, column = -1;
};

struct KeyLayout {
  std::vector<KeyField> fields;
  std::vector<KeyLevel> levels;
  int64_t bits = 0;
  int words = 0;
};

KeyLayout make_layout(std::span<const KeyStatistics> statistics, std::span<const Direction> directions);

// Keys of rows [first, first + n), row-major, layout.words each; a key's first bit is the top bit of its first word.
void encode_keys(const KeyLayout& layout, std::span<const VectorPtr> columns, int64_t first, int64_t n, uint64_t* out);

// The string of a row that is not NULL, through a dictionary or not.
inline std::string_view text_of(const Vector& v, int64_t row) { return v.kind == Kind::Dict ? v.dictionary->str(v.code(row)) : v.str(row); }
inline bool is_null(const Vector& v, int64_t row) {
  if (v.kind == Kind::Null || !v.valid(row)) return true;
  return v.kind == Kind::Dict && !v.dictionary->valid(v.code(row));
}

// Order-preserving number of a fixed-width value: f(get), get(row) -> int64 or int128.  Calls nothing for text and NULL vectors.
template <class F> void with_numbers(const Vector& v, F f);

}  // namespace tableflow::sorting

#include "sort_number.h"
