// Decimals as big-endian two's complement, of a fixed number of bytes or each with its own.
#include "parquet_fixed.h"

namespace tableflow::parquet {
namespace {

// Any number of bytes but none, of which only the last 16 may matter.
int128 big_endian(const uint8_t* in, int64_t length) {
  const uint8_t sign = in[0] & 0x80 ? 0xff : 0;
  for (; length > 16; --length)
    if (*in++ != sign) throw Corrupt("a decimal has more digits than its type");
  unsigned __int128 value = sign ? ~(unsigned __int128)0 : 0;
  if (bool(in[0] & 0x80) != bool(sign)) throw Corrupt("a decimal has more digits than its type");
  for (int64_t i = 0; i < length; ++i) value = value << 8 | in[i];
  return int128(value);
}

template <class T> T checked(const uint8_t* in, int64_t length) {
  const int128 wide = big_endian(in, length);
  const T narrow = T(wide);
  if (int128(narrow) != wide) throw Corrupt("a decimal has more digits than its type");
  return narrow;
}

template <class T> class FixedDecimalSink final : public FixedSink<T> {
 public:
  FixedDecimalSink(Kind kind, std::string format, int length) : FixedSink<T>(kind, std::move(format)), length_(length) {
    if (length < 1) throw Unsupported("a decimal has no bytes");
  }

 protected:
  void plain(T* out, int64_t count, const uint8_t*& at, const uint8_t* end) override {
    if (count > (end - at) / length_) too_few_values();
    for (int64_t i = 0; i < count; ++i, at += length_) out[i] = checked<T>(at, length_);
  }

 private:
  int length_;
};

template <class T> class BytesDecimalSink final : public FixedSink<T> {
 public:
  using FixedSink<T>::FixedSink;

 protected:
  void plain(T* out, int64_t count, const uint8_t*& at, const uint8_t* end) override {
    for (int64_t i = 0; i < count; ++i) {
      uint32_t length;
      if (end - at < 4) too_few_values();
      std::memcpy(&length, at, 4);
      at += 4;
      if (length == 0 || length > uint64_t(end - at)) throw Corrupt("a decimal reaches past its page");
      out[i] = checked<T>(at, length);
      at += length;
    }
  }
};

}  // namespace

std::unique_ptr<Sink> make_decimal_sink(const ChunkDefinition& chunk) {
  switch (chunk.conversion) {
    case Conversion::FixedToI64: return std::make_unique<FixedDecimalSink<int64_t>>(Kind::I64, chunk.format, chunk.type_length);
    case Conversion::FixedToI128: return std::make_unique<FixedDecimalSink<int128>>(Kind::I128, chunk.format, chunk.type_length);
    case Conversion::BytesToI64: return std::make_unique<BytesDecimalSink<int64_t>>(Kind::I64, chunk.format);
    default: return std::make_unique<BytesDecimalSink<int128>>(Kind::I128, chunk.format);
  }
}

}  // namespace tableflow::parquet
