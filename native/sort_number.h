// Order-preserving integers of fixed-width values; part of sort_key.h.
#pragma once

#include "interval.h"

namespace tableflow::sorting {

inline int64_t ordered_bits(double value) {
  if (value == 0.0) value = 0.0;
  int64_t bits = 0x7ff8000000000000;
  if (value == value) std::memcpy(&bits, &value, 8);
  return bits < 0 ? bits ^ INT64_MAX : bits;
}

template <class F> void with_numbers(const Vector& v, F f) {
  switch (v.kind) {
    case Kind::Bool: return f([&v](int64_t row) { return int64_t(bit(v.data, v.offset + row)); });
    case Kind::I8: return f([p = v.values<int8_t>()](int64_t row) { return int64_t(p[row]); });
    case Kind::I16: return f([p = v.values<int16_t>()](int64_t row) { return int64_t(p[row]); });
    case Kind::I32: return f([p = v.values<int32_t>()](int64_t row) { return int64_t(p[row]); });
    case Kind::I64: return f([p = v.values<int64_t>()](int64_t row) { return p[row]; });
    case Kind::I128:
      return f([p = v.data + 16 * v.offset](int64_t row) {
        int128 value;
        std::memcpy(&value, p + 16 * row, 16);
        return value;
      });
    case Kind::F32: return f([p = v.values<float>()](int64_t row) { return ordered_bits(double(p[row])); });
    case Kind::F64: return f([p = v.values<double>()](int64_t row) { return ordered_bits(p[row]); });
    case Kind::Interval: return f([p = v.data + 16 * v.offset](int64_t row) { return interval_length(p + 16 * row); });
    default: return;
  }
}

}  // namespace tableflow::sorting
