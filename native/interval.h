// Intervals as numbers: one relation decides equality, hashes, groups, joins and order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "vector.h"

namespace tableflow {

// Nanoseconds of an interval in Arrow's storage, with a month as 30 days and a day as 24 hours.
inline int128 interval_length(const void* at) {
  int32_t months, days;
  int64_t nanoseconds;
  std::memcpy(&months, at, 4);
  std::memcpy(&days, static_cast<const char*>(at) + 4, 4);
  std::memcpy(&nanoseconds, static_cast<const char*>(at) + 8, 8);
  return (int128(months) * 30 + days) * 86'400'000'000'000 + nanoseconds;
}

// An interval of this length, which some interval has.
inline int128 interval_of_length(int128 length) {
  constexpr int64_t day = 86'400'000'000'000;
  const auto part = [&length](int128 unit) {
    const auto number = int32_t(std::clamp<int128>(length / unit, INT32_MIN, INT32_MAX));
    length -= number * unit;
    return number;
  };
  const int32_t months = part(int128(30) * day), days = part(day);
  const auto nanoseconds = int64_t(length);
  int128 value;
  std::memcpy(&value, &months, 4);
  std::memcpy(reinterpret_cast<char*>(&value) + 4, &days, 4);
  std::memcpy(reinterpret_cast<char*>(&value) + 8, &nanoseconds, 8);
  return value;
}

// Of two intervals of one length the one with more months, then more days, stands for both.
inline int64_t interval_spelling(int128 value) {
  int32_t months, days;
  std::memcpy(&months, &value, 4);
  std::memcpy(&days, reinterpret_cast<const char*>(&value) + 4, 4);
  return int64_t(months) * (int64_t(1) << 32) + days;
}

}  // namespace tableflow
