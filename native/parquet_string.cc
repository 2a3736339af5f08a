// Strings: dictionary codes while all pages of a result have them, else the bytes.
#include <algorithm>

#include "parquet_fixed.h"

namespace tableflow::parquet {
namespace {

constexpr int64_t kLargestBatch = INT32_MAX;
constexpr int64_t kLargestGuess = 16 << 20;

[[noreturn]] void too_few() { throw Corrupt("a page has fewer strings than its header says"); }
[[noreturn]] void past_its_page() { throw Corrupt("a string reaches past its page"); }

// The next stored string.  `width` is that of all of them, 0 if each has its length in front.
inline std::pair<const uint8_t*, uint32_t> next_string(int width, const uint8_t*& at, const uint8_t* end) {
  uint32_t length = uint32_t(width);
  if (width == 0) {
    if (end - at < 4) too_few();
    std::memcpy(&length, at, 4);
    at += 4;
  }
  if (length > uint64_t(end - at)) past_its_page();
  const uint8_t* found = at;
  at += length;
  return {found, length};
}

// Offsets and bytes that grow.
class StringBuilder {
 public:
  // `bytes` is a guess of what will be added.
  void begin(int64_t rows, int64_t bytes) {
    offsets_ = std::make_shared<Buffer>(size_t(rows + 1) * 4);
    offsets_->as<int32_t>()[0] = 0;
    next_ = offsets_->as<int32_t>() + 1;
    bytes_ = std::make_shared<Buffer>(size_t(std::clamp<int64_t>(bytes, 64, kLargestGuess)));
    size_ = 0;
  }

  void grow(int64_t more) {
    if (size_ + more > kLargestBatch) throw Unsupported("a batch of strings is larger than 2 GB");
    auto larger = std::make_shared<Buffer>(size_t(std::clamp(2 * size_, size_ + more, kLargestBatch)));
    std::memcpy(larger->data(), bytes_->data(), size_t(size_));
    bytes_ = std::move(larger);
  }

  // `from` has 64 readable bytes past its end.  As many are copied whatever the length: a loop over few of them ends unexpectedly for nearly every string.
  void add(const uint8_t* from, int64_t length) {
    if (size_ + length > int64_t(bytes_->size())) grow(length);
    uint8_t* to = bytes_->data() + size_;
    std::memcpy(to, from, 64);
    if (length > 64) std::memcpy(to + 64, from + 64, size_t(length - 64));
    size_ += length;
    *next_++ = int32_t(size_);
  }

  void add_null() { *next_++ = int32_t(size_); }

  // The next strings, which have their lengths in front; 64 bytes can be read past the end.  `kAtOnce` are copied whatever the length.
  template <size_t kAtOnce> void add_sized(const uint8_t*& from, const uint8_t* end, int64_t rows) {
    const uint8_t* at = from;
    for (const int32_t* const last = next_ + rows; next_ < last;) {
      uint8_t* const begin = bytes_->data();
      const uint8_t* const limit = begin + bytes_->size();
      uint8_t* to = begin + size_;
      int32_t* next = next_;
      uint32_t length = 0;
      for (; next < last; *next++ = int32_t(to - begin)) {
        if (end - at < 4) too_few();
        std::memcpy(&length, at, 4);
        if (length > uint64_t(end - at - 4)) past_its_page();
        if (length > uint64_t(limit - to)) break;
        std::memcpy(to, at + 4, kAtOnce);
        if (length > kAtOnce) std::memcpy(to + kAtOnce, at + 4 + kAtOnce, length - kAtOnce);
        to += length;
        at += 4 + length;
      }
      next_ = next;
      size_ = to - begin;
      if (next < last) grow(length);
    }
    from = at;
  }

  VectorPtr finish(const std::string& format, int64_t rows, BufferPtr validity, int64_t nulls) {
    return make_string(format, rows, shrunk(std::move(offsets_), size_t(rows + 1) * 4), shrunk(std::move(bytes_), size_t(size_)),
                       std::move(validity), nulls);
  }

 private:
  BufferPtr offsets_, bytes_;
  int32_t* next_ = nullptr;
  int64_t size_ = 0;
};

class StringSink final : public Sink {
 public:
  explicit StringSink(const ChunkDefinition& chunk)
      : format_(chunk.format), width_(stored_width(chunk)), chunk_values_(chunk.num_values) {
    if (chunk.conversion == Conversion::FixedString && width_ < 1) throw Unsupported("strings of no bytes");
  }

  void dictionary(const uint8_t* data, const uint8_t* end, int64_t count, BufferPtr) override {
    if (count > (end - data) / (width_ ? width_ : 4)) too_few();
    StringBuilder builder;
    builder.begin(std::max<int64_t>(count, 1), end - data);
    append_plain(builder, data, end, 0, count, nullptr);
    count_ = uint32_t(count);
    // NULL rows have code 0, so there is always an entry to look at.
    if (count == 0) builder.add_null();
    dictionary_ = builder.finish(format_, std::max<int64_t>(count, 1), nullptr, 0);
    // A dictionary of almost every row saves nothing to those who compute with codes.
    prefers_codes_ = count <= 1024 || count <= chunk_values_ / 4;
  }

  VectorPtr dictionary_values() const override { return dictionary_; }

  void begin(int64_t rows, const uint8_t* validity) override {
    rows_ = rows;
    validity_ = validity;
    has_bytes_ = false;
    codes_ = nullptr;
  }

  void append(Page& page, int64_t row, int64_t rows, int64_t present) override {
    const uint8_t* validity = present < rows ? validity_ : nullptr;
    if (page.encoding == Encoding::Plain) {
      want_bytes(row, (page.end - page.values) / std::max<int64_t>(page.left, 1) + 1);
      append_plain(builder_, page.values, page.end, row, rows, validity);
      return;
    }
    if (!dictionary_) throw Corrupt("a page has codes, but there is no dictionary");
    if (!has_bytes_ && prefers_codes_) {
      if (!codes_) codes_ = std::make_shared<Buffer>(size_t(rows_) * 4);
      decode(page, codes_->as<uint32_t>() + row, row, rows, present, validity);
      return;
    }
    scratch_.resize(size_t(rows));
    decode(page, scratch_.data(), row, rows, present, validity);
    want_bytes(row, dictionary_->nbytes / dictionary_->length);
    append_entries(scratch_.data(), row, rows, validity);
  }

  void append_codes(const uint32_t* codes, int64_t row, int64_t rows, int64_t present) override {
    if (!dictionary_) throw Corrupt("a page has codes, but there is no dictionary");
    const uint8_t* validity = present < rows ? validity_ : nullptr;
    const bool keep = !has_bytes_ && prefers_codes_;
    if (keep && !codes_) codes_ = std::make_shared<Buffer>(size_t(rows_) * 4);
    if (!keep) scratch_.resize(size_t(rows));
    uint32_t* out = keep ? codes_->as<uint32_t>() + row : scratch_.data();
    Codes{out, count_}.values(codes, present);
    if (validity) spread(out, rows, present, validity, row);
    if (keep) return;
    want_bytes(row, dictionary_->nbytes / dictionary_->length);
    append_entries(out, row, rows, validity);
  }

  void append_picked(Page& page, int64_t row, int64_t rows, const uint32_t* at, int64_t present, int64_t passed) override {
    const uint8_t* validity = present < rows ? validity_ : nullptr;
    if (rows) want_bytes(row, (page.end - page.values) / std::max<int64_t>(page.left, 1) + 1);
    int64_t place = 0;
    for (int64_t i = 0, k = 0; i < rows; ++i) {
      if (validity && !bit(validity, row + i)) {
        builder_.add_null();
        continue;
      }
      for (const int64_t wanted = at[k++]; place < wanted; ++place) next_string(width_, page.values, page.end);
      const auto [from, length] = next_string(width_, page.values, page.end);
      builder_.add(from, length);
      ++place;
    }
    for (; place < passed; ++place) next_string(width_, page.values, page.end);
  }

  VectorPtr finish(int64_t rows, BufferPtr validity, int64_t nulls) override {
    if (!codes_) {
      want_bytes(0, 0);
      return builder_.finish(format_, rows, std::move(validity), nulls);
    }
    return make_dictionary(rows, shrunk(std::move(codes_), size_t(rows) * 4), std::move(validity), dictionary_, nulls);
  }

 private:
  struct Codes {
    uint32_t* out;
    uint32_t size;
    void run(uint32_t code, int64_t n) {
      if (code >= size) throw Corrupt("a code lies outside the dictionary");
      std::fill_n(out, n, code);
      out += n;
    }
    void values(const uint32_t* codes, int64_t n) {
      uint32_t outside = 0;
      const uint32_t limit = size;
      uint32_t* __restrict to = out;
      for (int64_t i = 0; i < n; ++i) {
        outside |= uint32_t(codes[i] >= limit);
        to[i] = codes[i];
      }
      if (outside) throw Corrupt("a code lies outside the dictionary");
      out += n;
    }
  };

  void decode(Page& page, uint32_t* out, int64_t row, int64_t rows, int64_t present, const uint8_t* validity) {
    page.codes.read(present, Codes{out, count_});
    if (validity) spread(out, rows, present, validity, row);
  }

  // From now on this result has bytes; the rows that were there as codes are copied.
  void want_bytes(int64_t row, int64_t bytes_per_row) {
    if (has_bytes_) return;
    builder_.begin(rows_, rows_ * bytes_per_row);
    has_bytes_ = true;
    if (codes_) append_entries(codes_->as<uint32_t>(), 0, row, validity_);
    codes_ = nullptr;
  }

  void append_entries(const uint32_t* codes, int64_t row, int64_t rows, const uint8_t* validity) {
    const Vector& d = *dictionary_;
    const int32_t* offsets = reinterpret_cast<const int32_t*>(d.offsets);
    for (int64_t i = 0; i < rows; ++i) {
      if (validity && !bit(validity, row + i)) {
        builder_.add_null();
        continue;
      }
      const int32_t start = offsets[codes[i]], length = offsets[codes[i] + 1] - start;
      builder_.add(d.data + start, length);
    }
  }

  void append_plain(StringBuilder& builder, const uint8_t*& at, const uint8_t* end, int64_t row, int64_t rows,
                    const uint8_t* validity) const {
    if (!validity && width_ == 0)
      return end - at < 16 * rows ? builder.add_sized<16>(at, end, rows) : builder.add_sized<64>(at, end, rows);
    for (int64_t i = 0; i < rows; ++i) {
      if (validity && !bit(validity, row + i)) {
        builder.add_null();
        continue;
      }
      const auto [from, length] = next_string(width_, at, end);
      builder.add(from, length);
    }
  }

  std::string format_;
  int width_;
  int64_t chunk_values_;
  VectorPtr dictionary_;
  uint32_t count_ = 0;
  bool prefers_codes_ = true;
  int64_t rows_ = 0;
  const uint8_t* validity_ = nullptr;
  bool has_bytes_ = false;
  BufferPtr codes_;
  StringBuilder builder_;
  std::vector<uint32_t> scratch_;
};

}  // namespace

std::unique_ptr<Sink> make_string_sink(const ChunkDefinition& chunk) { return std::make_unique<StringSink>(chunk); }

}  // namespace tableflow::parquet
