#include "narrow.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gather_rows.h"

namespace tableflow {

namespace {

using namespace rows;

template <class F> void with_type(Kind kind, F f) {
  switch (kind) {
    case Kind::I8: return f(int8_t{});
    case Kind::I16: return f(int16_t{});
    case Kind::I32: return f(int32_t{});
    case Kind::I64: return f(int64_t{});
    case Kind::I128: return f(int128{});
    default: throw std::invalid_argument("a column that is narrowed holds integers");
  }
}

void extend(Narrowed& all, int128 low, int128 high) {
  if (low > high) return;
  all.low = all.any ? std::min(all.low, low) : low;
  all.high = all.any ? std::max(all.high, high) : high;
  all.any = true;
}

template <class T> void extend_over(const Vector& v, Narrowed& all) {
  const T* values = v.values<T>();
  T low = std::numeric_limits<T>::max(), high = std::numeric_limits<T>::lowest();
  if (v.validity) {
    for (int64_t i = 0; i < v.length; ++i) {
      const bool valid = v.valid(i);
      const T value = load_value(values + i);
      low = valid && value < low ? value : low;
      high = valid && value > high ? value : high;
    }
  } else {
    for (int64_t i = 0; i < v.length; ++i) {
      const T value = load_value(values + i);
      low = value < low ? value : low;
      high = value > high ? value : high;
    }
  }
  extend(all, low, high);
}

// Most decimals have 64 bits: their low words are compared alone.
void extend_over_decimals(const Vector& v, Narrowed& all) {
  const int64_t* words = reinterpret_cast<const int64_t*>(v.data) + 2 * v.offset;
  int64_t low = INT64_MAX, high = INT64_MIN, beyond = 0;
  for (int64_t i = 0; i < v.length; ++i) {
    const int64_t valid = v.valid(i), value = words[2 * i];
    beyond |= (words[2 * i + 1] ^ (value >> 63)) & -valid;
    low = valid && value < low ? value : low;
    high = valid && value > high ? value : high;
  }
  if (beyond) return extend_over<int128>(v, all);
  extend(all, low, high);
}

Kind width_for(const Narrowed& all) {
  for (const Kind kind : {Kind::I8, Kind::I16, Kind::I32, Kind::I64}) {
    const int bits = 8 * width(kind);
    const int128 limit = int128(1) << (bits - 1);
    if (all.low >= -limit && all.high < limit) return kind;
  }
  return Kind::I128;
}

Kind widest(std::span<const VectorPtr> pieces) {
  Kind kind = Kind::I8;
  for (const auto& piece : pieces)
    if (piece->kind != Kind::Null && width(piece->kind) > width(kind)) kind = piece->kind;
  return kind;
}

std::string format_of(Kind kind, std::span<const VectorPtr> pieces, bool keep) {
  if (keep || kind == Kind::I128)
    for (const auto& piece : pieces)
      if (piece->kind == kind) return piece->format;
  return kind == Kind::I8 ? "c" : kind == Kind::I16 ? "s" : kind == Kind::I32 ? "i" : "l";
}

template <class To> void put(const VectorPtr& v, To* out) {
  if (v->kind == Kind::Null) {
    std::memset(static_cast<void*>(out), 0, size_t(v->length) * sizeof(To));
    return;
  }
  Rows part;
  part.vector = v;
  part.n = v->length;
  with_type(v->kind, [&](auto from) { put_values<To, decltype(from)>(part, out); });
}

BufferPtr validity_of(std::span<const VectorPtr> pieces, int64_t rows) {
  if (std::none_of(pieces.begin(), pieces.end(), [](const auto& p) { return p->validity || p->kind == Kind::Null; })) return nullptr;
  auto bits = zeroed_bits(rows);
  int64_t at = 0;
  for (const auto& piece : pieces) {
    if (piece->validity) {
      copy_bits(bits->data(), at, piece->validity, piece->offset, piece->length);
    } else if (piece->kind != Kind::Null) {
      set_bits(bits->data(), at, piece->length);
    }
    at += piece->length;
  }
  return bits;
}

}  // namespace

Narrowed narrow(std::span<const VectorPtr> pieces, bool keep) {
  Narrowed result;
  int64_t rows = 0;
  for (const auto& piece : pieces) {
    rows += piece->length;
    if (piece->kind == Kind::I128) {
      extend_over_decimals(*piece, result);
    } else if (piece->kind != Kind::Null) {
      with_type(piece->kind, [&](auto of) { extend_over<decltype(of)>(*piece, result); });
    }
  }
  const Kind kind = keep ? widest(pieces) : width_for(result);
  auto data = std::make_shared<Buffer>(size_t(rows) * size_t(width(kind)));
  with_type(kind, [&](auto of) {
    auto* out = data->as<decltype(of)>();
    for (const auto& piece : pieces) {
      put(piece, out);
      out += piece->length;
    }
  });
  result.values = make_fixed(kind, format_of(kind, pieces, keep), rows, std::move(data), validity_of(pieces, rows));
  return result;
}

RealBounds real_bounds(const Vector& v) {
  if (v.kind != Kind::F32 && v.kind != Kind::F64) throw std::invalid_argument("bounds of reals are asked of another column");
  RealBounds result;
  const auto over = [&](auto of) {
    const auto* values = v.values<decltype(of)>();
    for (int64_t i = 0; i < v.length; ++i) {
      if (!v.valid(i)) continue;
      const double value = values[i];
      if (std::isnan(value)) {
        result.nan = true;
        continue;
      }
      result.low = result.any ? std::min(result.low, value) : value;
      result.high = result.any ? std::max(result.high, value) : value;
      result.any = true;
    }
  };
  if (v.kind == Kind::F32) over(float{});
  else over(double{});
  return result;
}

TextBounds text_bounds(const Vector& v) {
  if (v.kind != Kind::Str && v.kind != Kind::LargeStr) throw std::invalid_argument("bounds of strings are asked of another column");
  TextBounds result;
  for (int64_t i = 0; i < v.length; ++i) {
    if (!v.valid(i)) continue;
    const auto text = v.str(i);
    if (!result.any) {
      result = {true, text, text};
    } else if (text < result.low) {
      result.low = text;
    } else if (text > result.high) {
      result.high = text;
    }
  }
  return result;
}

}  // namespace tableflow
