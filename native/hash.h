// The hash of a SQL value, version 2; part of the snapshot format, so a change of any constant here is a new version.
//
// It is defined on the value, never on its representation: integers of every width, dates, times and booleans (0, 1) hash
// as int64; decimals by their scaled integer (both sides of a comparison have one scale), which hashes as int64 when it fits;
// intervals by their length (interval.h); float32 as its float64 value, -0.0 as 0.0, every NaN as one; strings and bytes by content, dictionary codes by the content
// of their entry; NULL is a constant.  Several columns: the first's hash combined with the next, in order.
// High bits are as good as low ones: exchanges use the high half, hash tables the low bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "vector.h"

namespace tableflow {

constexpr int hash_version = 2;

namespace hashing {

constexpr uint64_t k0 = 0x2d358dccaa6c78a5, k1 = 0x8bb84b93962eacc9, k2 = 0x4b33a62ed433d4a3, k3 = 0x4d5a2da51de1aa47;

// The 128-bit product folded into 64 bits (Wang Yi, wyhash).
inline uint64_t fold(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return uint64_t(product) ^ uint64_t(product >> 64);
}

inline uint64_t load(const char* p, size_t bytes) {
  uint64_t word = 0;
  std::memcpy(&word, p, bytes);
  return word;
}

}  // namespace hashing

constexpr uint64_t null_hash = 0x9e3779b97f4a7c15;

inline uint64_t hash_value(int64_t value) {
  using namespace hashing;
  const auto product = static_cast<unsigned __int128>(uint64_t(value) ^ k0) * k1;
  return fold(uint64_t(product) ^ k2, uint64_t(product >> 64) ^ k3);
}

inline uint64_t hash_combine(uint64_t earlier, uint64_t later) { return hashing::fold(earlier ^ hashing::k2, later ^ hashing::k1); }

inline uint64_t hash_value(int128 value) {
  if (int128(int64_t(value)) == value) return hash_value(int64_t(value));
  return hash_combine(hash_value(int64_t(value)), hash_value(int64_t(value >> 64)));
}

inline uint64_t hash_value(double value) {
  if (value == 0.0) value = 0.0;
  uint64_t bits = 0x7ff8000000000000;
  if (value == value) std::memcpy(&bits, &value, 8);
  return hash_value(int64_t(bits));
}

inline uint64_t hash_value(std::string_view text) {
  using namespace hashing;
  const char* p = text.data();
  const size_t n = text.size();
  uint64_t seed = k0, a = 0, b = 0;
  if (n <= 16) {
    if (n >= 8) {
      a = load(p, 8);
      b = load(p + n - 8, 8);
    } else if (n >= 4) {
      a = load(p, 4);
      b = load(p + n - 4, 4);
    } else if (n > 0) {
      a = uint64_t(uint8_t(p[0])) << 16 | uint64_t(uint8_t(p[n >> 1])) << 8 | uint8_t(p[n - 1]);
    }
  } else {
    size_t left = n;
    for (; left > 16; left -= 16, p += 16) seed = fold(load(p, 8) ^ k1, load(p + 8, 8) ^ seed);
    a = load(p + left - 16, 8);
    b = load(p + left - 8, 8);
  }
  const auto product = static_cast<unsigned __int128>(a ^ k1) * (b ^ seed);
  return fold(uint64_t(product) ^ k2 ^ n, uint64_t(product >> 64) ^ k3);
}

// out[i] = hash of row selection[i] (row i without a selection), for n rows; with `combine`, out[i] already holds the hash of
// the columns before.  Nested vectors throw std::invalid_argument.
void hash_vector(const Vector& vector, const uint32_t* selection, int64_t n, uint64_t* out, bool combine);

}  // namespace tableflow
