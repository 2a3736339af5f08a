// Quotient and rest by a constant with multiplications: a division takes the processor several times as long.
//
// Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994), figure 5.2: quotients are truncated
// towards zero, for every dividend and every divisor but 0.  The least value by -1 wraps, as the multiplication does.
#pragma once

#include <bit>
#include <cstdint>

#include "processor.h"
#include "vector.h"

namespace tableflow {
inline namespace TABLEFLOW_PROCESSOR {

class Reciprocal {
 public:
  explicit Reciprocal(int64_t divisor) : divisor_(divisor), sign_(divisor < 0 ? -1 : 0) {
    const uint64_t magnitude = divisor < 0 ? 0 - uint64_t(divisor) : uint64_t(divisor);
    const int bits = magnitude > 1 ? 64 - std::countl_zero(magnitude - 1) : 1;  // of the least power of two that is not below it
    shift_ = bits - 1;
    multiplier_ = int64_t(uint64_t((((unsigned __int128)1) << (63 + bits)) / magnitude + 1));
  }

  int64_t quotient(int64_t value) const {
    const int64_t high = int64_t((int128(multiplier_) * value) >> 64);
    const int64_t shifted = int64_t(uint64_t(value) + uint64_t(high)) >> shift_;
    return ((shifted - (value >> 63)) ^ sign_) - sign_;
  }

  // Has the dividend's sign.
  int64_t rest(int64_t value) const { return int64_t(uint64_t(value) - uint64_t(quotient(value)) * uint64_t(divisor_)); }

 private:
  int64_t divisor_, multiplier_, sign_;
  int shift_;
};

}  // inline namespace
}  // namespace tableflow
