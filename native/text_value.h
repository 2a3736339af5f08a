// Values from text that ends with a byte which no value contains (a quote, a delimiter, a line end).
//
// Each function reads a value at `p` and returns where it ends, or null where it is not written in the plain way.  What is not plain is
// nobody's fault: the caller reads it by slower means, which also say what is wrong.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>

#include "vector.h"

namespace tableflow {

inline bool is_digit(uint8_t c) { return uint8_t(c - '0') < 10; }

constexpr double kExactPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int64_t kPowersOfTen[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

// Digits into a number below 10^19; `count` is how many there are (19 at most, or null is returned).
inline const uint8_t* read_digits(const uint8_t* p, uint64_t* value, int* count) {
  const uint8_t* begin = p;
  uint64_t v = *value;
  while (is_digit(*p)) v = v * 10 + uint64_t(*p++ - '0');
  *count += int(p - begin > 100 ? 100 : p - begin);
  *value = v;
  return *count <= 19 ? p : nullptr;
}

// An integer without sign "+"; `zeros`: whether zeros may come first.
template <class T> const uint8_t* read_integer(const uint8_t* p, bool zeros, T* out) {
  const bool negative = *p == '-';
  p += negative;
  const uint8_t* begin = p;
  uint64_t value = 0;
  int count = 0;
  p = read_digits(p, &value, &count);
  if (!p || p == begin || (!zeros && *begin == '0' && count > 1)) return nullptr;
  const uint64_t most = uint64_t(std::numeric_limits<T>::max()) + negative;
  if (value > most) return nullptr;
  *out = T(negative ? 0 - value : value);
  return p;
}

// A number as JSON writes it: no sign "+", no zeros first, digits on both sides of the point.  Returns its end.
inline const uint8_t* number_end(const uint8_t* p) {
  p += *p == '-';
  if (*p == '0') ++p;
  else if (is_digit(*p)) while (is_digit(*p)) ++p;
  else return nullptr;
  if (*p == '.') {
    if (!is_digit(*++p)) return nullptr;
    while (is_digit(*p)) ++p;
  }
  if (*p == 'e' || *p == 'E') {
    ++p;
    p += *p == '+' || *p == '-';
    if (!is_digit(*p)) return nullptr;
    while (is_digit(*p)) ++p;
  }
  return p;
}

// Correctly rounded; what is too large or too small is not plain.
template <class T> const uint8_t* read_real(const uint8_t* p, T* out) {
  const uint8_t* begin = p;
  if constexpr (sizeof(T) == 8) {  // a whole number below 2^53 divided by an exact power of ten is rounded once
    const bool negative = *p == '-';
    p += negative;
    const uint8_t* first = p;
    uint64_t value = 0;
    while (is_digit(*p)) value = value * 10 + uint64_t(*p++ - '0');
    const bool leads = *first == '0' && p - first > 1;
    int64_t digits = p - first, places = 0;
    if (digits && *p == '.') {
      const uint8_t* point = ++p;
      while (is_digit(*p)) value = value * 10 + uint64_t(*p++ - '0');
      places = p - point;
      if (!places) return nullptr;
    }
    if (!digits || leads) return nullptr;
    if (digits + places <= 18 && value < (uint64_t(1) << 53) && (*p | 0x20) != 'e') {
      const double exact = double(value) / kExactPowers[places];
      *out = negative ? -exact : exact;
      return p;
    }
    p = begin;
  }
  const uint8_t* end = number_end(p);
  if (!end) return nullptr;
  const auto read = std::from_chars(reinterpret_cast<const char*>(begin), reinterpret_cast<const char*>(end), *out);
  return read.ec == std::errc() && reinterpret_cast<const uint8_t*>(read.ptr) == end ? end : nullptr;
}

// A decimal as an integer of `scale` digits behind the point, below 10^precision; more digits are rounded half away from zero, or
// with `exact` are not plain.
template <class T> const uint8_t* read_decimal(const uint8_t* p, int precision, int scale, bool zeros, bool exact, T* out) {
  using Unsigned = std::conditional_t<sizeof(T) == 8, uint64_t, unsigned __int128>;
  constexpr int kMost = sizeof(T) == 8 ? 18 : 38;
  const bool negative = *p == '-';
  p += negative;
  const uint8_t* begin = p;
  Unsigned value = 0;
  int digits = 0;  // that count: not the zeros in front
  const auto push = [&](uint8_t digit) {
    if (digits == kMost) return false;
    value = value * 10 + digit;
    digits += value != 0;
    return true;
  };
  for (; is_digit(*p); ++p)
    if (!push(uint8_t(*p - '0'))) return nullptr;
  if (p == begin || (!zeros && *begin == '0' && p - begin > 1)) return nullptr;
  int places = 0;
  bool up = false;
  if (*p == '.') {
    const uint8_t* point = ++p;
    for (; is_digit(*p); ++p) {
      if (places < scale) {
        if (!push(uint8_t(*p - '0'))) return nullptr;
        ++places;
      } else if (exact) {
        return nullptr;
      } else if (p - point == scale) {
        up = *p >= '5';
      }
    }
    if (p == point) return nullptr;
  }
  if ((*p | 0x20) == 'e') return nullptr;
  for (; places < scale; ++places)
    if (!push(0)) return nullptr;
  value += up;
  Unsigned most = 1;
  for (int i = 0; i < precision; i += 9) most *= Unsigned(kPowersOfTen[precision - i < 9 ? precision - i : 9]);
  if (value >= most) return nullptr;
  *out = negative ? T(0) - T(value) : T(value);
  return p;
}

inline int two_digits(const uint8_t* p) { return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + (p[1] - '0') : 100; }

// Days since 1970 of a date in the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
inline int32_t days_of(int year, int month, int day) {
  year -= month <= 2;
  const int era = year / 400;  // years are never negative here
  const int of_era = year - era * 400;
  const int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// YYYY-MM-DD
inline const uint8_t* read_date(const uint8_t* p, int32_t* out) {
  const int high = two_digits(p);
  if (high >= 100) return nullptr;
  const int low = two_digits(p + 2);
  if (low >= 100 || p[4] != '-') return nullptr;
  const int month = two_digits(p + 5);
  if (month < 1 || month > 12 || p[7] != '-') return nullptr;
  const int day = two_digits(p + 8), year = high * 100 + low;
  constexpr uint8_t kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (year < 1 || day < 1 || day > kDays[month - 1] + (leap && month == 2)) return nullptr;
  *out = days_of(year, month, day);
  return p + 10;
}

// hh:mm[:ss[.f]] in units of `digits` (6 or 9) of a second; of the fraction `kept` digits count, which may be fewer, and 9 may be
// written: the rest is cut off, as a CAST does.
inline const uint8_t* read_time(const uint8_t* p, int digits, int kept, int64_t* out) {
  const int hour = two_digits(p);
  if (hour >= 24 || p[2] != ':') return nullptr;
  const int minute = two_digits(p + 3);
  if (minute >= 60) return nullptr;
  p += 5;
  int64_t second = hour * 3600 + minute * 60, fraction = 0;
  int places = 0;
  if (*p == ':') {
    const int seconds = two_digits(p + 1);
    if (seconds >= 60) return nullptr;
    second += seconds;
    p += 3;
    if (*p == '.') {
      const uint8_t* point = ++p;
      for (; is_digit(*p) && places < kept; ++p, ++places) fraction = fraction * 10 + (*p - '0');
      while (is_digit(*p)) ++p;
      if (p == point || p - point > 9) return nullptr;
    }
  }
  *out = second * kPowersOfTen[digits] + fraction * kPowersOfTen[digits - places];
  return p;
}

// A date, or a date and a time (see above) with "T" or a blank between; `zoned`: whether "Z" or an offset such as +01:00 follows, which is
// taken into account.
inline const uint8_t* read_timestamp(const uint8_t* p, int digits, int kept, int64_t* out, bool* zoned) {
  int32_t days;
  const uint8_t* date = p;
  p = read_date(p, &days);
  if (!p) return nullptr;
  if (digits > 6 && (std::memcmp(date, "1678", 4) < 0 || std::memcmp(date, "2261", 4) > 0)) return nullptr;  // 64 bits end there
  const int64_t unit = kPowersOfTen[digits];
  int64_t time = 0;
  *zoned = false;
  if (*p == 'T' || *p == ' ') {
    p = read_time(p + 1, digits, kept, &time);
    if (!p) return nullptr;
    if (*p == 'Z') {
      *zoned = true;
      ++p;
    } else if (*p == '+' || *p == '-') {
      const int hours = two_digits(p + 1), minutes = hours < 24 && p[3] == ':' ? two_digits(p + 4) : 100;
      if (minutes >= 60) return nullptr;
      const int64_t offset = (hours * 3600 + minutes * 60) * unit;
      time -= *p == '+' ? offset : -offset;
      *zoned = true;
      p += 6;
    }
  }
  *out = int64_t(days) * 86400 * unit + time;
  return p;
}

}  // namespace tableflow
