// The loops of gather and concat: rows of one part written behind the rows of the parts before it.
#pragma once

#include "gather.h"

namespace tableflow::rows {

// Calls f with a function from position to row, negative for NULL; one instantiation per form of index.
template <class F> void with_index(const Rows& part, F f) {
  if (part.narrow) {
    const uint32_t* index = part.narrow;
    if (part.nullable) {
      f([index](int64_t i) { return index[i] == UINT32_MAX ? int64_t(-1) : int64_t(index[i]); });
    } else {
      f([index](int64_t i) { return int64_t(index[i]); });
    }
  } else if (part.wide) {
    const int64_t* index = part.wide;
    f([index](int64_t i) { return index[i]; });
  } else {
    f([first = part.first](int64_t i) { return first + i; });
  }
}

inline bool has_index(const Rows& part) { return part.narrow || part.wide; }

inline void or_word(uint8_t* out, int64_t position, uint64_t word) {
  uint8_t* at = out + (position >> 3);
  const int shift = int(position & 7);
  uint64_t old;
  std::memcpy(&old, at, 8);
  old |= word << shift;
  std::memcpy(at, &old, 8);
  if (shift) at[8] |= uint8_t(word >> (64 - shift));
}

// Bits [position, position + n) of zeroed, padded memory; get(i) is the i-th.
template <class Get> void put_bits(uint8_t* out, int64_t position, int64_t n, Get get) {
  for (int64_t i = 0; i < n; i += 64) {
    const int64_t count = n - i < 64 ? n - i : 64;
    uint64_t word = 0;
    for (int64_t k = 0; k < count; ++k) word |= uint64_t(get(i + k)) << k;
    or_word(out, position + i, word);
  }
}

inline void set_bits(uint8_t* out, int64_t position, int64_t n) {
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) or_word(out, position + i, ~uint64_t(0));
  if (i < n) or_word(out, position + i, (uint64_t(1) << (n - i)) - 1);
}

// Bits [from, from + n) of `source` to [position, position + n) of zeroed, padded memory; reads no byte without such bits.
inline void copy_bits(uint8_t* out, int64_t position, const uint8_t* source, int64_t from, int64_t n) {
  const int64_t last_byte = (from + n - 1) >> 3;
  int64_t i = 0;
  for (; i + 64 <= n && ((from + i) >> 3) + 8 <= last_byte; i += 64) {
    const uint8_t* at = source + ((from + i) >> 3);
    const int shift = int((from + i) & 7);
    uint64_t word;
    std::memcpy(&word, at, 8);
    if (shift) word = word >> shift | uint64_t(at[8]) << (64 - shift);
    or_word(out, position + i, word);
  }
  put_bits(out, position + i, n - i, [&](int64_t k) { return bit(source, from + i + k); });
}

inline BufferPtr zeroed_bits(int64_t n) {
  auto bits = std::make_shared<Buffer>(size_t(n + 7) / 8 + 8);
  std::memset(bits->data(), 0, bits->size() + 8);
  return bits;
}

inline bool may_have_nulls(const Rows& part) {
  return part.nullable || part.vector->validity || part.vector->kind == Kind::Null;
}

// Whether the row is not NULL, looking through a dictionary.
inline bool row_valid(const Vector& v, int64_t row) {
  if (row < 0 || v.kind == Kind::Null || !v.valid(row)) return false;
  return v.kind != Kind::Dict || v.dictionary->valid(v.code(row));
}

// Arrow promises 8-byte alignment only, less than an int128 wants.
template <class T> T load_value(const T* at) {
  T value;
  std::memcpy(&value, static_cast<const void*>(at), sizeof(T));
  return value;
}

template <class To, class From> void put_values(const Rows& part, To* out) {
  const From* values = part.vector->values<From>();
  if (!has_index(part)) {
    if constexpr (std::is_same_v<To, From>) {
      if (part.n) std::memcpy(out, values + part.first, size_t(part.n) * sizeof(To));
      return;
    }
  }
  with_index(part, [&](auto index) {
    if (part.nullable) {
      for (int64_t i = 0; i < part.n; ++i) {
        const int64_t row = index(i);
        out[i] = row < 0 ? To(0) : To(load_value(values + row));
      }
    } else {
      for (int64_t i = 0; i < part.n; ++i) out[i] = To(load_value(values + index(i)));
    }
  });
}

}  // namespace tableflow::rows
