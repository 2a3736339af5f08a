// Values of a fixed width: integers, floating point, decimals, booleans.
#include <algorithm>

#include "parquet_column.h"

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

template <class T> void fill(T* out, T value, int64_t n) { std::fill_n(out, n, value); }

// Moves `present` values at the beginning of out to the rows whose bit is set; the others become zero.
template <class T> void spread(T* out, int64_t rows, int64_t present, const uint8_t* validity, int64_t row) {
  int64_t from = present;
  for (int64_t i = rows; i-- > 0;) {
    if (bit(validity, row + i)) out[i] = out[--from];
    else out[i] = T(0);
  }
}

[[noreturn]] void too_few() { throw Corrupt("a page has fewer values than its header says"); }

// Looks codes up; every code is compared with the size of the dictionary.
template <class T> struct Lookup {
  const T* values;
  uint32_t size;
  T* out;
  void run(uint32_t code, int64_t n) {
    if (code >= size) throw Corrupt("a code lies outside the dictionary");
    fill(out, values[code], n);
    out += n;
  }
  void values_checked(const uint32_t* codes, int64_t n) {
    const T* __restrict from = values;  // else both pointers are loaded again for each value
    T* __restrict to = out;
    for (int64_t i = 0; i < n; ++i) to[i] = from[codes[i]];
    out += n;
  }
};

template <class T> struct LookupSink : Lookup<T> {
  void values(const uint32_t* codes, int64_t n) {
    uint32_t outside = 0;
    const uint32_t limit = this->size;
    for (int64_t i = 0; i < n; ++i) outside |= uint32_t(codes[i] >= limit);
    if (outside) throw Corrupt("a code lies outside the dictionary");
    this->values_checked(codes, n);
  }
};

template <class T> class FixedSink : public Sink {
 public:
  FixedSink(Kind kind, std::string format) : kind_(kind), format_(std::move(format)) {}

  void begin(int64_t rows, const uint8_t* validity) override {
    data_ = std::make_shared<Buffer>(size_t(rows) * sizeof(T));
    validity_ = validity;
  }

  void dictionary(const uint8_t* data, const uint8_t* end, int64_t count) override {
    if (count > end - data) too_few();  // a value has at least one byte
    dictionary_.resize(size_t(count));
    const uint8_t* at = data;
    plain(dictionary_.data(), count, at, end);
  }

  void append(Page& page, int64_t row, int64_t rows, int64_t present) override {
    T* out = data_->as<T>() + row;
    if (page.encoding == Encoding::Plain) plain(out, present, page.values, page.end);
    else page.codes.read(present, LookupSink<T>{{dictionary_.data(), uint32_t(dictionary_.size()), out}});
    if (present < rows) spread(out, rows, present, validity_, row);
  }

  VectorPtr finish(int64_t rows, BufferPtr validity, int64_t nulls) override {
    return make_fixed(kind_, format_, rows, std::move(data_), std::move(validity), nulls);
  }

 protected:
  // Converts `count` stored values and moves `at` behind them; throws Corrupt if there are fewer.
  virtual void plain(T* out, int64_t count, const uint8_t*& at, const uint8_t* end) = 0;

 private:
  Kind kind_;
  std::string format_;
  BufferPtr data_;
  const uint8_t* validity_ = nullptr;
  std::vector<T> dictionary_;
};

template <class C> class NumberSink final : public FixedSink<typename C::Dst> {
  using Src = typename C::Src;
  using Dst = typename C::Dst;

 public:
  using FixedSink<Dst>::FixedSink;

 protected:
  void plain(Dst* out, int64_t count, const uint8_t*& at, const uint8_t* end) override {
    if (count > (end - at) / int64_t(sizeof(Src))) too_few();
    if constexpr (C::copies) {
      if (count) std::memcpy(out, at, size_t(count) * sizeof(Src));
    } else {
      for (int64_t i = 0; i < count; ++i) {
        Src v;
        std::memcpy(&v, at + i * int64_t(sizeof(Src)), sizeof(Src));
        out[i] = C::convert(v);
      }
    }
    at += count * int64_t(sizeof(Src));
  }
};

// Big-endian two's complement of `length` bytes, 1 to 16.
int128 big_endian(const uint8_t* in, int length) {
  unsigned __int128 value = in[0] & 0x80 ? ~(unsigned __int128)0 : 0;
  for (int i = 0; i < length; ++i) value = value << 8 | in[i];
  return int128(value);
}

template <class T> class DecimalSink final : public FixedSink<T> {
 public:
  DecimalSink(Kind kind, std::string format, int length) : FixedSink<T>(kind, std::move(format)), length_(length) {
    if (length < 1 || length > 16) throw Unsupported("a decimal has more than 16 bytes");
  }

 protected:
  void plain(T* out, int64_t count, const uint8_t*& at, const uint8_t* end) override {
    if (count > (end - at) / length_) too_few();
    for (int64_t i = 0; i < count; ++i, at += length_) {
      const int128 v = big_endian(at, length_);
      out[i] = T(v);
      if (int128(out[i]) != v) throw Corrupt("a decimal has more digits than its type");
    }
  }

 private:
  int length_;
};

// Bits, PLAIN or as runs; there is never a dictionary.
class BooleanSink final : public Sink {
 public:
  explicit BooleanSink(std::string format) : format_(std::move(format)) {}

  void dictionary(const uint8_t*, const uint8_t*, int64_t) override { throw Unsupported("a dictionary of truth values"); }

  void begin(int64_t rows, const uint8_t* validity) override {
    validity_ = validity;
    data_ = std::make_shared<Buffer>(size_t(rows + 7) / 8);
    std::memset(data_->data(), 0, data_->size());
  }

  void append(Page& page, int64_t row, int64_t rows, int64_t present) override {
    dense_.resize(size_t(present));
    if (page.encoding == Encoding::Plain) {
      if (present > (page.end - page.values) * 8 - page.bit) too_few();
      for (int64_t i = 0; i < present; ++i) dense_[size_t(i)] = bit(page.values, page.bit + i);
      page.bit += present;
    } else if (page.encoding == Encoding::Rle) {
      page.codes.read(present, Bytes{dense_.data()});
    } else {
      throw Unsupported("a dictionary of truth values");
    }
    size_t next = 0;
    for (int64_t i = row; i < row + rows; ++i) {
      if (present < rows && !bit(validity_, i)) continue;
      if (dense_[next++]) set_bit(data_->data(), i);
    }
  }

  VectorPtr finish(int64_t rows, BufferPtr validity, int64_t nulls) override {
    return make_fixed(Kind::Bool, format_, rows, std::move(data_), std::move(validity), nulls);
  }

 private:
  struct Bytes {
    uint8_t* out;
    void run(uint32_t value, int64_t n) {
      std::fill_n(out, n, uint8_t(value & 1));
      out += n;
    }
    void values(const uint32_t* in, int64_t n) {
      for (int64_t i = 0; i < n; ++i) out[i] = uint8_t(in[i] & 1);
      out += n;
    }
  };

  std::string format_;
  BufferPtr data_;
  const uint8_t* validity_ = nullptr;
  std::vector<uint8_t> dense_;
};

template <class C> std::unique_ptr<Sink> number(Kind kind, const ChunkDefinition& chunk) {
  return std::make_unique<NumberSink<C>>(kind, chunk.format);
}

}  // namespace

std::unique_ptr<Sink> make_fixed_sink(const ChunkDefinition& chunk) {
  switch (chunk.conversion) {
    case Conversion::Bool: return std::make_unique<BooleanSink>(chunk.format);
    case Conversion::I32ToI8: return number<Cast<int32_t, int8_t>>(Kind::I8, chunk);
    case Conversion::I32ToI16: return number<Cast<int32_t, int16_t>>(Kind::I16, chunk);
    case Conversion::I32: return number<Cast<int32_t, int32_t>>(Kind::I32, chunk);
    case Conversion::U8ToI16: return number<Cast<uint32_t, int16_t>>(Kind::I16, chunk);
    case Conversion::U16ToI32: return number<Cast<uint32_t, int32_t>>(Kind::I32, chunk);
    case Conversion::U32ToI64: return number<Cast<uint32_t, int64_t>>(Kind::I64, chunk);
    case Conversion::I64: return number<Cast<int64_t, int64_t>>(Kind::I64, chunk);
    case Conversion::I32Thousand: return number<Thousand<int32_t>>(Kind::I64, chunk);
    case Conversion::I64Thousand: return number<Thousand<int64_t>>(Kind::I64, chunk);
    case Conversion::F32: return number<Cast<float, float>>(Kind::F32, chunk);
    case Conversion::F64: return number<Cast<double, double>>(Kind::F64, chunk);
    case Conversion::FixedToI64: return std::make_unique<DecimalSink<int64_t>>(Kind::I64, chunk.format, chunk.type_length);
    case Conversion::FixedToI128: return std::make_unique<DecimalSink<int128>>(Kind::I128, chunk.format, chunk.type_length);
    case Conversion::String: break;
  }
  throw Unsupported("a conversion that is no number");
}

}  // namespace tableflow::parquet
