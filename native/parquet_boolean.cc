// Truth values: bits, PLAIN or as runs; there is never a dictionary.
#include "parquet_fixed.h"

namespace tableflow::parquet {
namespace {

class BooleanSink final : public Sink {
 public:
  explicit BooleanSink(std::string format) : format_(std::move(format)) {}

  void dictionary(const uint8_t*, const uint8_t*, int64_t, BufferPtr) override { throw Unsupported("a dictionary of truth values"); }
  VectorPtr dictionary_values() const override { return nullptr; }
  void append_codes(const uint32_t*, int64_t, int64_t, int64_t) override { throw Unsupported("a dictionary of truth values"); }

  void begin(int64_t rows, const uint8_t* validity) override {
    validity_ = validity;
    data_ = std::make_shared<Buffer>(size_t(rows + 7) / 8);
    std::memset(data_->data(), 0, data_->size());
  }

  void append(Page& page, int64_t row, int64_t rows, int64_t present) override {
    decode(page, present);
    put(row, rows, present, [](int64_t i) { return i; });
  }

  void append_picked(Page& page, int64_t row, int64_t rows, const uint32_t* at, int64_t present, int64_t passed) override {
    decode(page, passed);
    put(row, rows, present, [at](int64_t i) { return int64_t(at[i]); });
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

  // The next values, a byte each.
  void decode(Page& page, int64_t count) {
    dense_.resize(size_t(count));
    if (page.encoding == Encoding::Plain) {
      if (count > (page.end - page.values) * 8 - page.bit) too_few_values();
      for (int64_t i = 0; i < count; ++i) dense_[size_t(i)] = bit(page.values, page.bit + i);
      page.bit += count;
    } else if (page.encoding == Encoding::Rle) {
      page.codes.read(count, Bytes{dense_.data()});
    } else {
      throw Unsupported("a dictionary of truth values");
    }
  }

  template <class Place> void put(int64_t row, int64_t rows, int64_t present, Place place) {
    int64_t next = 0;
    for (int64_t i = row; i < row + rows; ++i) {
      if (present < rows && !bit(validity_, i)) continue;
      if (dense_[size_t(place(next++))]) set_bit(data_->data(), i);
    }
  }

  std::string format_;
  BufferPtr data_;
  const uint8_t* validity_ = nullptr;
  std::vector<uint8_t> dense_;
};

}  // namespace

std::unique_ptr<Sink> make_boolean_sink(const ChunkDefinition& chunk) { return std::make_unique<BooleanSink>(chunk.format); }

}  // namespace tableflow::parquet
