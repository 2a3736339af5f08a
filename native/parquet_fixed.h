// Results of a fixed width, shared by the sinks of numbers: dictionaries, codes, NULLs.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "parquet_column.h"

namespace tableflow::parquet {

// Moves `present` values at the beginning of out to the rows whose bit is set; the others become zero.
template <class T> void spread(T* out, int64_t rows, int64_t present, const uint8_t* validity, int64_t row) {
  int64_t from = present;
  for (int64_t i = rows; i-- > 0;) {
    if (bit(validity, row + i)) out[i] = out[--from];
    else out[i] = T(0);
  }
}

// A buffer of the bytes that are used, if that saves much.
inline BufferPtr shrunk(BufferPtr buffer, size_t used) {
  if (used * 2 >= buffer->size()) return buffer;
  auto smaller = std::make_shared<Buffer>(used);
  std::memcpy(smaller->data(), buffer->data(), used);
  return smaller;
}

[[noreturn]] inline void too_few_values() { throw Corrupt("a page has fewer values than its header says"); }
[[noreturn]] inline void code_outside() { throw Corrupt("a code lies outside the dictionary"); }

// Looks codes up; every code is compared with the size of the dictionary.
template <class T> struct Lookup {
  const T* dictionary;
  uint32_t size;
  T* out;

  void run(uint32_t code, int64_t n) {
    if (code >= size) code_outside();
    std::fill_n(out, n, dictionary[code]);
    out += n;
  }

  void values(const uint32_t* codes, int64_t n) {
    uint32_t outside = 0;
    const uint32_t limit = size;
    for (int64_t i = 0; i < n; ++i) outside |= uint32_t(codes[i] >= limit);
    if (outside) code_outside();
    const T* __restrict from = dictionary;  // else both pointers are loaded again for each value
    T* __restrict to = out;
    for (int64_t i = 0; i < n; ++i) to[i] = from[codes[i]];
    out += n;
  }
};

template <class T> class FixedSink : public Sink {
 public:
  FixedSink(Kind kind, std::string format) : kind_(kind), format_(std::move(format)) {}

  void begin(int64_t rows, const uint8_t* validity) override {
    data_ = std::make_shared<Buffer>(size_t(rows) * sizeof(T));
    validity_ = validity;
  }

  void dictionary(const uint8_t* data, const uint8_t* end, int64_t count, BufferPtr page) override {
    if (count > end - data) too_few_values();  // a value has at least one byte
    entries_ = uint32_t(count);
    if (copies() && count > 0 && page && data == page->data()) {
      if (count > (end - data) / int64_t(sizeof(T))) too_few_values();
      dictionary_ = std::move(page);
      return;
    }
    auto found = std::make_shared<Buffer>(std::max<size_t>(size_t(count), 1) * sizeof(T));
    found->template as<T>()[0] = T(0);  // NULL rows have code 0, so there is always an entry to look at
    const uint8_t* at = data;
    plain(found->template as<T>(), count, at, end);
    dictionary_ = std::move(found);
  }

  VectorPtr dictionary_values() const override {
    if (!dictionary_) return nullptr;
    return make_fixed(kind_, format_, std::max<int64_t>(entries_, 1), dictionary_, nullptr, 0);
  }

  void append(Page& page, int64_t row, int64_t rows, int64_t present) override {
    T* out = data_->as<T>() + row;
    if (page.encoding == Encoding::Plain) plain(out, present, page.values, page.end);
    else page.codes.read(present, lookup(out));
    if (present < rows) spread(out, rows, present, validity_, row);
  }

  void append_codes(const uint32_t* codes, int64_t row, int64_t rows, int64_t present) override {
    T* out = data_->as<T>() + row;
    lookup(out).values(codes, present);
    if (present < rows) spread(out, rows, present, validity_, row);
  }

  void append_picked(Page& page, int64_t row, int64_t rows, const uint32_t* at, int64_t present, int64_t passed) override {
    T* out = data_->as<T>() + row;
    picked(out, at, present, passed, page.values, page.end);
    if (present < rows) spread(out, rows, present, validity_, row);
  }

  VectorPtr finish(int64_t rows, BufferPtr validity, int64_t nulls) override {
    return make_fixed(kind_, format_, rows, shrunk(std::move(data_), size_t(rows) * sizeof(T)), std::move(validity), nulls);
  }

 protected:
  // Whether values are stored as they are computed with.
  virtual bool copies() const { return false; }

  // Converts `count` stored values and moves `at` behind them; throws Corrupt if there are fewer.
  virtual void plain(T* out, int64_t count, const uint8_t*& at, const uint8_t* end) = 0;

  // The same for `count` places among the next `passed` values.
  virtual void picked(T* out, const uint32_t* places, int64_t count, int64_t passed, const uint8_t*& at, const uint8_t* end) {
    all_.resize(size_t(passed));
    plain(all_.data(), passed, at, end);
    for (int64_t i = 0; i < count; ++i) out[i] = all_[places[i]];
  }

 private:
  Lookup<T> lookup(T* out) const { return {dictionary_ ? dictionary_->template as<T>() : nullptr, entries_, out}; }

  Kind kind_;
  std::string format_;
  BufferPtr data_;
  const uint8_t* validity_ = nullptr;
  BufferPtr dictionary_;  // read only, and shared with results; null: there is none
  uint32_t entries_ = 0;
  std::vector<T> all_;
};

std::unique_ptr<Sink> make_decimal_sink(const ChunkDefinition& chunk);
std::unique_ptr<Sink> make_boolean_sink(const ChunkDefinition& chunk);

}  // namespace tableflow::parquet
