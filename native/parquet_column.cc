#include "parquet_column.h"

#include <time.h>

#include <algorithm>

#include "parquet_delta.h"
#include "parquet_lz4.h"
#include "parquet_snappy.h"
#include "parquet_zstd.h"

namespace tableflow::parquet {
namespace {

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

// Of this thread, in nanoseconds; what others take of the processor does not count.
int64_t processor_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
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

ColumnChunkReader::ColumnChunkReader(DescriptorPtr file, ChunkDefinition chunk, Decompress decompress, PageCachePtr cache)
    : chunk_(std::move(chunk)),
      decompress_(std::move(decompress)),
      file_(file, chunk_.offset, chunk_.size),
      cached_(chunk_.decompress ? std::move(cache) : nullptr, file->number(), chunk_.codec),
      sink_(chunk_.conversion == Conversion::String || chunk_.conversion == Conversion::FixedString ? make_string_sink(chunk_)
                                                                                                  : make_fixed_sink(chunk_)),
      position_(chunk_.offset),
      left_(chunk_.num_values),
      unopened_(chunk_.num_values) {
  if (left_ < 0) throw Corrupt("a column chunk has a negative number of values");
}

PageHeader ColumnChunkReader::next_header(bool passing) {
  if (const auto known = cached_.header(position_)) {
    if (known->header.compressed_size > file_.end() - known->contents) throw Corrupt("a page reaches past its column chunk");
    position_ = known->contents;
    return known->header;
  }
  for (int64_t guess = 1 << 10;; guess *= 16) {
    const int64_t size = std::min(guess, file_.end() - position_);
    // Behind the header of a dictionary the next one may be all that is wanted.
    const uint8_t* data = file_.view(position_, size, !first_ && !dictionary_ && !passing);
    try {
      size_t used = 0;
      PageHeader header = parse_page_header(data, size_t(size), &used);
      header.offset = position_;
      position_ += int64_t(used);
      if (header.compressed_size > file_.end() - position_) throw Corrupt("a page reaches past its column chunk");
      if (header.uncompressed_size > kLargestPage) throw Unsupported("a page is larger than 256 MB");
      cached_.keep_header(header.offset, {header, position_});
      return header;
    } catch (const Truncated&) {
      if (size == file_.end() - position_) throw Corrupt("a column chunk ends inside a page header");
    }
  }
}

bool ColumnChunkReader::has_texts(const PageHeader& header) const {
  const bool coded = header.type != PageType::Dictionary &&
                     (header.encoding == Encoding::PlainDictionary || header.encoding == Encoding::RleDictionary);
  return chunk_.conversion == Conversion::String && !coded;
}

const uint8_t* ColumnChunkReader::contents(const PageHeader& header, int64_t at, int64_t plain_bytes, bool compressed,
                                           BufferPtr& buffer) {
  const int64_t stored = header.compressed_size - plain_bytes;
  const int64_t wanted = header.uncompressed_size - plain_bytes;
  if (!compressed || stored == 0) {
    if (stored != wanted) throw Corrupt("an uncompressed page has two different sizes");
    return file_.view(at, header.compressed_size);
  }
  if (BufferPtr known = cached_.use(header.offset)) {
    buffer = std::move(known);
    ++pages_.cached;
    return buffer->data();
  }
  // A snappy copy of 64 bytes takes three, an LZ4 copy of 255 one.
  const int64_t most = chunk_.codec == Codec::Snappy ? (stored + 8) * 32 : chunk_.codec == Codec::Lz4 ? (stored + 8) * 256 : wanted;
  if (wanted > most) throw Corrupt("a page is larger than its compressed bytes can tell");
  const auto size = size_t(header.uncompressed_size);
  const int64_t begun = cached_.active() ? processor_time() : 0;
  const uint8_t* in = file_.view(at, header.compressed_size);
  if (!buffer || buffer.use_count() > 1 || buffer->size() < size) buffer = std::make_shared<Buffer>(size);
  std::memcpy(buffer->data(), in, size_t(plain_bytes));
  decompress(header, in + plain_bytes, size_t(stored), buffer->data() + plain_bytes, size_t(wanted));
  ++pages_.decompressed;
  if (cached_.active()) cached_.offer(header.offset, buffer->data(), size, processor_time() - begun);
  return buffer->data();
}

void ColumnChunkReader::decompress(const PageHeader& header, const uint8_t* in, size_t in_size, uint8_t* out, size_t out_size) {
  switch (chunk_.codec) {
    case Codec::Snappy:
      if (has_texts(header)) snappy_texts_.decompress(in, in_size, out, out_size);
      else snappy_decompress(in, in_size, out, out_size);
      break;
    case Codec::Lz4: lz4_decompress(in, in_size, out, out_size); break;
    case Codec::Zstd: zstd_decompress(in, in_size, out, out_size); break;
    case Codec::Other: decompress_(in, in_size, out, out_size); break;
  }
}

void ColumnChunkReader::find_dictionary() {
  if (!first_) return;
  const int64_t start = position_;
  const PageHeader header = next_header();
  if (header.type != PageType::Dictionary) {
    position_ = start;
    return;
  }
  first_ = false;
  dictionary_ = header;
  dictionary_at_ = position_;
  position_ += header.compressed_size;
}

void ColumnChunkReader::read_dictionary() {
  if (!dictionary_) return;
  const PageHeader header = *dictionary_;
  dictionary_.reset();
  if (header.encoding != Encoding::Plain && header.encoding != Encoding::PlainDictionary)
    throw Unsupported("a dictionary page has an unknown encoding");
  BufferPtr buffer;
  const uint8_t* data = contents(header, dictionary_at_, 0, chunk_.decompress, buffer);
  sink_->dictionary(data, data + header.uncompressed_size, header.num_values, std::move(buffer));
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
    find_dictionary();
    first_ = false;
    const PageHeader header = next_header(passable > 0);
    int64_t passed = 0;
    switch (header.type) {
      case PageType::Dictionary: throw Corrupt("a dictionary page is not the first of its column chunk");
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

void ColumnChunkReader::skip(int64_t rows) { take(rows, Places{nullptr, 0}, nullptr); }

VectorPtr ColumnChunkReader::dictionary() {
  find_dictionary();
  read_dictionary();
  return sink_->dictionary_values();
}

void ColumnChunkReader::jump(int64_t offset, int64_t first_row) {
  const int64_t row = chunk_.num_values - left_;
  if (first_row < row || first_row > chunk_.num_values || offset < chunk_.offset || offset > file_.end())
    throw Corrupt("the offset index of a column chunk leads out of it");
  find_dictionary();
  first_ = false;
  page_ = Page();
  position_ = offset;
  left_ = unopened_ = chunk_.num_values - first_row;
}

}  // namespace tableflow::parquet
