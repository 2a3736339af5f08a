// What grouping reads: key and argument vectors, piece by piece, and the rows of a piece that count.
#pragma once

#include "vector.h"

namespace tableflow {

// Rows are taken in pieces that stay in cache.
constexpr int piece_rows = 2048;

// A vector whose values belong to rows by number, or (dense) to the selected rows in order, as a pipeline's registers do.
// `positions` overrides both: where the value of each row of the piece is.
struct Input {
  const Vector* vector = nullptr;
  bool dense = false;
  const uint32_t* positions = nullptr;
};

// Rows [first, first + n) of those that count; `rows` are their numbers, null when they follow each other from row `base`.
struct Piece {
  const uint32_t* rows = nullptr;
  int64_t first = 0;
  int n = 0;
  int64_t base = 0;
};

// Calls f with a function from the position in the piece to the position in the vector.
template <class F> void with_positions(const Piece& piece, const Input& input, F f) {
  if (input.positions) {
    f([positions = input.positions](int i) { return int64_t(positions[i]); });
  } else if (piece.rows && !input.dense) {
    f([rows = piece.rows](int i) { return int64_t(rows[i]); });
  } else {
    f([first = piece.first + (input.dense ? 0 : piece.base)](int i) { return first + i; });
  }
}

// Arrow promises 8-byte alignment only, less than an int128 wants.
template <class T> T value_at(const T* values, int64_t row) {
  T value;
  std::memcpy(&value, static_cast<const void*>(values + row), sizeof(T));
  return value;
}

// Whether the row is not NULL, looking through a dictionary.
inline bool row_is_valid(const Vector& v, int64_t row) {
  if (v.kind == Kind::Null || !v.valid(row)) return false;
  return v.kind != Kind::Dict || v.dictionary->valid(v.code(row));
}

inline bool may_hold_nulls(const Vector& v) {
  return v.validity || v.kind == Kind::Null || (v.kind == Kind::Dict && v.dictionary->validity);
}

inline std::string_view text_at(const Vector& v, int64_t row) {
  return v.kind == Kind::Dict ? v.dictionary->str(v.code(row)) : v.str(row);
}

// A floating-point value as an integer that sorts as the SQL value does: -0.0 as 0.0, one NaN, above all numbers.
inline int64_t ordered_bits(double value) {
  if (value == 0.0) value = 0.0;
  int64_t bits = 0x7ff8000000000000;
  if (value == value) std::memcpy(&bits, &value, 8);
  return bits ^ ((bits >> 63) & INT64_MAX);
}
inline double from_ordered_bits(int64_t bits) {
  bits ^= (bits >> 63) & INT64_MAX;
  double value;
  std::memcpy(&value, &bits, 8);
  return value;
}

}  // namespace tableflow
