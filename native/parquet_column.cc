#include "parquet_column.h"

#include <algorithm>

#include "parquet_snappy.h"

namespace tableflow::parquet {
namespace {

constexpr int64_t kLargestPage = 256 << 20;
constexpr size_t kPadding = 64;

// Sets bits [from, from + n).
void set_bits(uint8_t* bits, int64_t from, int64_t n) {
  int64_t i = from;
  const int64_t end = from + n;
  for (; i < end && (i & 7); ++i) set_bit(bits, i);
  const int64_t bytes = (end - i) / 8;
  std::memset(bits + (i >> 3), 0xff, size_t(bytes));
  for (i += bytes * 8; i < end; ++i) set_bit(bits, i);
}

// Ors n bits from `in` at bit `first` into bits that are zero from `to` on.
void copy_bits(const uint8_t* in, int64_t first, uint8_t* bits, int64_t to, int64_t n) {
  if (((first | to) & 7) == 0) {
    std::memcpy(bits + (to >> 3), in + (first >> 3), size_t(n / 8));
    for (int64_t i = n / 8 * 8; i < n; ++i)
      if (bit(in, first + i)) set_bit(bits, to + i);
    return;
  }
  for (int64_t i = 0; i < n; ++i) bits[(to + i) >> 3] |= uint8_t(bit(in, first + i) << ((to + i) & 7));
}

struct LevelSink {
  uint8_t* validity;
  int64_t row;
  void run(uint32_t value, int64_t n) {
    if (value) set_bits(validity, row, n);
    row += n;
  }
  void bits(const uint8_t* in, int64_t first, int64_t n) {
    copy_bits(in, first, validity, row, n);
    row += n;
  }
};

}  // namespace

ColumnChunkReader::ColumnChunkReader(int fd, ChunkDefinition chunk, Decompress decompress)
    : chunk_(std::move(chunk)),
      decompress_(std::move(decompress)),
      file_(fd, chunk_.offset, chunk_.size),
      sink_(chunk_.conversion == Conversion::String ? make_string_sink(chunk_) : make_fixed_sink(chunk_)),
      position_(chunk_.offset),
      left_(chunk_.num_values),
      unopened_(chunk_.num_values) {
  if (left_ < 0) throw Corrupt("a column chunk has a negative number of values");
}

PageHeader ColumnChunkReader::next_header() {
  for (int64_t guess = 1 << 10;; guess *= 16) {
    const int64_t size = std::min(guess, file_.end() - position_);
    const uint8_t* data = file_.view(position_, size);
    try {
      size_t used = 0;
      const PageHeader header = parse_page_header(data, size_t(size), &used);
      position_ += int64_t(used);
      if (header.compressed_size > file_.end() - position_) throw Corrupt("a page reaches past its column chunk");
      if (header.uncompressed_size > kLargestPage) throw Unsupported("a page is larger than 256 MB");
      return header;
    } catch (const Truncated&) {
      if (size == file_.end() - position_) throw Corrupt("a column chunk ends inside a page header");
    }
  }
}

const uint8_t* ColumnChunkReader::contents(const PageHeader& header, int64_t plain_bytes, bool compressed, BufferPtr& buffer,
                                           size_t* size) {
  const int64_t stored = header.compressed_size - plain_bytes;
  const int64_t wanted = header.uncompressed_size - plain_bytes;
  const uint8_t* in = file_.view(position_ + plain_bytes, stored);
  *size = size_t(wanted);
  if (!compressed || stored == 0) {
    if (stored != wanted) throw Corrupt("an uncompressed page has two different sizes");
    return in;
  }
  // A snappy copy of 64 bytes takes three.
  if (chunk_.snappy && wanted > (stored + 8) * 32) throw Corrupt("a page's snappy data is damaged");
  if (!buffer || int64_t(buffer->size()) < wanted) buffer = std::make_shared<Buffer>(size_t(wanted));
  if (chunk_.snappy) {
    snappy_decompress(in, size_t(stored), buffer->data(), size_t(wanted));
  } else {
    decompress_(in, size_t(stored), buffer->data(), size_t(wanted));
  }
  return buffer->data();
}

void ColumnChunkReader::read_dictionary(const PageHeader& header) {
  if (header.encoding != Encoding::Plain && header.encoding != Encoding::PlainDictionary)
    throw Unsupported("a dictionary page has an unknown encoding");
  BufferPtr buffer;
  size_t size = 0;
  const uint8_t* data = contents(header, 0, chunk_.decompress, buffer, &size);
  sink_->dictionary(data, data + size, header.num_values);
}

void ColumnChunkReader::open_page(const PageHeader& header) {
  if (header.num_values > unopened_) throw Corrupt("the pages of a column chunk have more values than the chunk");
  Page page;
  page.left = header.num_values;
  page.encoding = header.encoding;
  size_t size = 0;
  if (header.type == PageType::DataV2) {
    const int64_t levels = int64_t(header.definition_bytes) + header.repetition_bytes;
    if (chunk_.optional) {
      const uint8_t* in = file_.view(position_ + header.repetition_bytes, header.definition_bytes);
      level_bytes_.assign(in, in + header.definition_bytes);
      level_bytes_.resize(level_bytes_.size() + kPadding);
      page.levels = RleReader(level_bytes_.data(), level_bytes_.data() + header.definition_bytes, 1);
    }
    page.values = contents(header, levels, chunk_.decompress && header.compressed, page_buffer_, &size);
    page.end = page.values + size;
  } else {
    page.values = contents(header, 0, chunk_.decompress, page_buffer_, &size);
    page.end = page.values + size;
    if (chunk_.optional) {
      if (header.level_encoding != Encoding::Rle) throw Unsupported("levels have a deprecated encoding");
      uint32_t bytes = 0;
      if (size < 4) throw Corrupt("a page has no room for its levels");
      std::memcpy(&bytes, page.values, 4);
      page.values += 4;
      if (bytes > size_t(page.end - page.values)) throw Corrupt("the levels of a page are longer than the page");
      page.levels = RleReader(page.values, page.values + bytes, 1);
      page.values += bytes;
    }
  }
  if (page.encoding == Encoding::PlainDictionary || page.encoding == Encoding::RleDictionary) {
    page.encoding = Encoding::RleDictionary;
    int width = 0;
    if (page.values < page.end) width = *page.values++;
    page.codes = RleReader(page.values, page.end, width);
  } else if (page.encoding == Encoding::Rle && chunk_.conversion == Conversion::Bool) {
    uint32_t bytes = 0;
    if (page.end - page.values < 4) throw Corrupt("a page has no room for its values");
    std::memcpy(&bytes, page.values, 4);
    page.values += 4;
    if (bytes > size_t(page.end - page.values)) throw Corrupt("the values of a page are longer than the page");
    page.codes = RleReader(page.values, page.values + bytes, 1);
  } else if (page.encoding != Encoding::Plain) {
    throw Unsupported("a page has an encoding that is not decoded here");
  }
  page_ = page;
  unopened_ -= header.num_values;
}

int64_t ColumnChunkReader::read_levels(uint8_t* validity, int64_t row, int64_t rows) {
  page_.levels.read_bits(rows, LevelSink{validity, row});
  return rows - count_nulls(validity, row, rows);
}

VectorPtr ColumnChunkReader::read(int64_t rows) {
  if (rows < 0 || rows > left_) throw std::out_of_range("more rows than the column chunk has left");
  BufferPtr validity;
  if (chunk_.optional) {
    validity = std::make_shared<Buffer>(size_t(rows + 7) / 8);
    std::memset(validity->data(), 0, validity->size());
  }
  sink_->begin(rows, validity ? validity->data() : nullptr);
  int64_t nulls = 0;
  for (int64_t row = 0; row < rows;) {
    while (page_.left == 0) next_page(0);
    const int64_t n = std::min(rows - row, page_.left);
    const int64_t present = chunk_.optional ? read_levels(validity->data(), row, n) : n;
    nulls += n - present;
    sink_->append(page_, row, n, present);
    page_.left -= n;
    left_ -= n;
    row += n;
  }
  return sink_->finish(rows, nulls ? std::move(validity) : nullptr, nulls);
}

int64_t ColumnChunkReader::next_page(int64_t passable) {
  for (;;) {
    if (unopened_ == 0) throw Corrupt("the pages of a column chunk have fewer values than the chunk");
    const PageHeader header = next_header();
    const bool is_first = first_;
    first_ = false;
    int64_t passed = 0;
    switch (header.type) {
      case PageType::Dictionary:
        if (!is_first) throw Corrupt("a dictionary page is not the first of its column chunk");
        read_dictionary(header);
        break;
      case PageType::Data: case PageType::DataV2:
        if (header.num_values <= passable && header.num_values <= unopened_) {
          passed = header.num_values;
          unopened_ -= passed;
        } else {
          open_page(header);
        }
        break;
      case PageType::Index: break;
      default: throw Unsupported("a column chunk has a page of an unknown type");
    }
    position_ += header.compressed_size;
    if (passed || page_.left) return passed;
  }
}

void ColumnChunkReader::skip(int64_t rows) {
  if (rows < 0 || rows > left_) throw std::out_of_range("more rows than the column chunk has left");
  while (rows > 0) {
    int64_t passed;
    if (page_.left == 0) {
      passed = next_page(rows);
      left_ -= passed;
    } else {
      passed = std::min({rows, page_.left, int64_t(1) << 16});
      read(passed);
    }
    rows -= passed;
  }
}

}  // namespace tableflow::parquet
