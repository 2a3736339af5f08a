// Exact numbers and floating point, correctly rounded: the nearest double (or float) of a scaled integer, ties to even, and
// the scaled integer nearest to a double's exact value, halves away from zero.
//
// Powers of ten are divided by as powers of five (5^38 has 89 bits), so that 128 bits hold every step.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "processor.h"
#include "vector.h"

namespace tableflow {
inline namespace TABLEFLOW_PROCESSOR {

using uint128 = unsigned __int128;

constexpr int bit_width(uint128 v) {
  const uint64_t high = uint64_t(v >> 64);
  return high ? 64 + std::bit_width(high) : std::bit_width(uint64_t(v));
}

constexpr uint128 power_of_five(int n) {
  uint128 p = 1;
  for (int i = 0; i < n; ++i) p *= 5;
  return p;
}

// The number of BITS significant bits that is nearest to value / divisor * 2^exponent.  The divisor is positive and below
// 2^127, the result is within the range of normal numbers.
template <int BITS> double nearest_quotient(uint128 value, uint128 divisor, int exponent) {
  uint128 whole = value / divisor, rest = value % divisor;
  // Digits of the quotient until there are two more than are kept; what is left only says on which side of a tie it lies.
  while (rest != 0 && bit_width(whole) < BITS + 2) {
    const int free = 128 - bit_width(divisor), room = 127 - bit_width(whole);
    const int shift = free < room ? free : room;
    rest <<= shift;
    whole = (whole << shift) | (rest / divisor);
    rest %= divisor;
    exponent -= shift;
  }
  const int surplus = bit_width(whole) - BITS;
  if (surplus <= 0) return std::ldexp(double(uint64_t(whole)), exponent);
  const uint128 kept = whole >> surplus, below = whole & ((uint128(1) << surplus) - 1), half = uint128(1) << (surplus - 1);
  const bool up = below > half || (below == half && (rest != 0 || (kept & 1)));
  return std::ldexp(double(uint64_t(kept + up)), exponent + surplus);
}

// Scaled integers as floating point with BITS significant bits.
template <int BITS> class Descaler {
 public:
  explicit Descaler(int scale) : scale_(scale), fives_(power_of_five(scale)), ten_(std::pow(10.0, scale)) {}

  // Where both are exact one division rounds once.
  template <class A> bool is_simple(A value) const { return BITS == 53 && scale_ <= 22 && value <= EXACT && value >= -EXACT; }
  template <class A> double simple(A value) const { return double(value) / ten_; }

  template <class A> double operator()(A value) const {
    if (is_simple(value)) return simple(value);
    const bool negative = value < 0;
    const double magnitude = nearest_quotient<BITS>(negative ? -uint128(int128(value)) : uint128(value), fives_, -scale_);
    return negative ? -magnitude : magnitude;
  }

 private:
  static constexpr int64_t EXACT = int64_t(1) << 53;
  int scale_;
  uint128 fives_;
  double ten_;  // exact up to 10^22
};

// value * 10^scale rounded half away from zero; false where it is not finite or its magnitude is 2^127 or more.
inline bool scaled_up(double value, int scale, uint128 fives, int128* result) {
  if (!std::isfinite(value)) return false;
  int exponent;
  const uint64_t mantissa = uint64_t(std::ldexp(std::frexp(std::fabs(value), &exponent), 53));
  exponent += scale - 53;
  // mantissa * 5^scale in 192 bits: `high` * 2^64 + `low`.
  const uint128 below = uint128(mantissa) * uint64_t(fives), above = uint128(mantissa) * uint64_t(fives >> 64) + (below >> 64);
  const uint64_t low = uint64_t(below);
  uint128 magnitude = 0;
  if (exponent >= 0) {
    if (mantissa && (bit_width(above) ? bit_width(above) + 64 : bit_width(low)) + exponent > 127) return false;
    magnitude = mantissa ? ((above << 64) | low) << exponent : 0;
  } else {
    // Doubled and cut, the last bit says whether to round up.
    const int shift = -exponent - 1;
    uint128 doubled;
    if (shift == 0) {
      if (bit_width(above) > 63) return false;
      doubled = (above << 64) | low;
    } else if (shift < 64) {
      if (bit_width(above) - shift > 63) return false;
      doubled = (above << (64 - shift)) | (low >> shift);
    } else {
      doubled = shift - 64 < 128 ? above >> (shift - 64) : 0;
      if (bit_width(doubled) > 127) return false;
    }
    magnitude = (doubled >> 1) + (doubled & 1);
  }
  *result = value < 0 ? -int128(magnitude) : int128(magnitude);
  return true;
}

}  // inline namespace
}  // namespace tableflow
