// Numbers that lie one after the other: integers, floating point, times.
#include "parquet_fixed.h"

namespace tableflow::parquet {
namespace {

// A conversion of one stored value; Src is how it is stored.
template <class S, class D> struct Cast {
  using Src = S;
  using Dst = D;
  static constexpr bool copies = std::is_same_v<S, D>;
  static D convert(S v) { return D(v); }
};

template <class S> struct Thousand {
  using Src = S;
  using Dst = int64_t;
  static constexpr bool copies = false;
  // Wraps around for a damaged file; no date a person means is that far away.
  static int64_t convert(S v) { return int64_t(uint64_t(int64_t(v)) * 1000); }
};

struct Nanoseconds {
  struct Src {
    uint32_t words[3];  // nanoseconds of the day, low half first, and the day
  };
  using Dst = int64_t;
  static constexpr bool copies = false;
  // Wraps around outside of the years that nanoseconds reach, as others do.
  static int64_t convert(Src v) {
    constexpr uint64_t kEpoch = 2440588, kDay = 86'400'000'000'000;
    const uint64_t nanoseconds = uint64_t(v.words[1]) << 32 | v.words[0];
    return int64_t((uint64_t(v.words[2]) - kEpoch) * kDay + nanoseconds);
  }
};

struct Half {
  using Src = uint16_t;
  using Dst = float;
  static constexpr bool copies = false;
  static float convert(uint16_t v) {
    const uint32_t sign = uint32_t(v & 0x8000) << 16, exponent = v >> 10 & 0x1f, digits = v & 0x3ff;
    uint32_t bits;
    if (exponent == 0) {  // zero, or below the smallest normal number
      const float tiny = float(digits) * 0x1p-24f;
      std::memcpy(&bits, &tiny, 4);
      bits |= sign;
    } else {
      bits = sign | (exponent == 31 ? 0xffu : exponent + 112) << 23 | digits << 13;
    }
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
  }
};

template <class C> class NumberSink final : public FixedSink<typename C::Dst> {
  using Src = typename C::Src;
  using Dst = typename C::Dst;
  static constexpr int64_t kWidth = sizeof(Src);

 public:
  using FixedSink<Dst>::FixedSink;

 protected:
  bool copies() const override { return C::copies; }

  void plain(Dst* out, int64_t count, const uint8_t*& at, const uint8_t* end) override {
    if (count > (end - at) / kWidth) too_few_values();
    if constexpr (C::copies) {
      if (count) std::memcpy(out, at, size_t(count * kWidth));
    } else {
      for (int64_t i = 0; i < count; ++i) out[i] = one(at, i);
    }
    at += count * kWidth;
  }

  void picked(Dst* out, const uint32_t* places, int64_t count, int64_t passed, const uint8_t*& at, const uint8_t* end) override {
    if (passed > (end - at) / kWidth) too_few_values();
    for (int64_t i = 0; i < count; ++i) out[i] = one(at, places[i]);
    at += passed * kWidth;
  }

 private:
  static Dst one(const uint8_t* at, int64_t i) {
    Src v;
    std::memcpy(&v, at + i * kWidth, sizeof(Src));
    return C::convert(v);
  }
};

template <class C> std::unique_ptr<Sink> number(Kind kind, const ChunkDefinition& chunk) {
  return std::make_unique<NumberSink<C>>(kind, chunk.format);
}

}  // namespace

std::unique_ptr<Sink> make_fixed_sink(const ChunkDefinition& chunk) {
  switch (chunk.conversion) {
    case Conversion::Bool: return make_boolean_sink(chunk);
    case Conversion::I32ToI8: return number<Cast<int32_t, int8_t>>(Kind::I8, chunk);
    case Conversion::I32ToI16: return number<Cast<int32_t, int16_t>>(Kind::I16, chunk);
    case Conversion::I32: return number<Cast<int32_t, int32_t>>(Kind::I32, chunk);
    case Conversion::U8ToI16: return number<Cast<uint32_t, int16_t>>(Kind::I16, chunk);
    case Conversion::U16ToI32: return number<Cast<uint32_t, int32_t>>(Kind::I32, chunk);
    case Conversion::U32ToI64: return number<Cast<uint32_t, int64_t>>(Kind::I64, chunk);
    case Conversion::I64: return number<Cast<int64_t, int64_t>>(Kind::I64, chunk);
    case Conversion::U64ToI128: return number<Cast<uint64_t, int128>>(Kind::I128, chunk);
    case Conversion::I32Thousand: return number<Thousand<int32_t>>(Kind::I64, chunk);
    case Conversion::I64Thousand: return number<Thousand<int64_t>>(Kind::I64, chunk);
    case Conversion::I96: return number<Nanoseconds>(Kind::I64, chunk);
    case Conversion::F16: return number<Half>(Kind::F32, chunk);
    case Conversion::F32: return number<Cast<float, float>>(Kind::F32, chunk);
    case Conversion::F64: return number<Cast<double, double>>(Kind::F64, chunk);
    case Conversion::FixedToI64: case Conversion::FixedToI128: case Conversion::BytesToI64: case Conversion::BytesToI128:
      return make_decimal_sink(chunk);
    case Conversion::String: case Conversion::FixedString: break;
  }
  throw Unsupported("a conversion that is no number");
}

int stored_width(const ChunkDefinition& chunk) {
  switch (chunk.conversion) {
    case Conversion::I64: case Conversion::U64ToI128: case Conversion::I64Thousand: case Conversion::F64: return 8;
    case Conversion::I96: return 12;
    case Conversion::F16: return 2;
    case Conversion::FixedToI64: case Conversion::FixedToI128: case Conversion::FixedString: return chunk.type_length;
    case Conversion::String: case Conversion::BytesToI64: case Conversion::BytesToI128: return 0;
    default: return 4;
  }
}

}  // namespace tableflow::parquet
