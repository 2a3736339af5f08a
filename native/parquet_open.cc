// Where the levels and values of a data page lie.
#include <algorithm>

#include "parquet_column.h"
#include "parquet_delta.h"

namespace tableflow::parquet {
namespace {

constexpr size_t kPadding = 64;

// The part of a page that has its length in four bytes in front; `at` is moved behind it.
RleReader sized_runs(const uint8_t*& at, const uint8_t* end) {
  uint32_t bytes = 0;
  if (end - at < 4) throw Corrupt("a page has no room for its levels");
  std::memcpy(&bytes, at, 4);
  at += 4;
  if (bytes > size_t(end - at)) throw Corrupt("the levels of a page are longer than the page");
  at += bytes;
  return RleReader(at - bytes, at, 1);
}

// Levels of one bit from the highest down, as one packed run from the lowest up.
std::vector<uint8_t> packed_run(const uint8_t* bits, int64_t bytes) {
  std::vector<uint8_t> run;
  for (uint64_t head = uint64_t(bytes) << 1 | 1;; head >>= 7) {
    run.push_back(uint8_t(head < 0x80 ? head : (head & 0x7f) | 0x80));
    if (head < 0x80) break;
  }
  for (int64_t i = 0; i < bytes; ++i) {
    uint8_t turned = 0;
    for (int j = 0; j < 8; ++j) turned |= uint8_t((bits[i] >> j & 1) << (7 - j));
    run.push_back(turned);
  }
  return run;
}

bool is_integer(Conversion conversion) {
  switch (conversion) {
    case Conversion::I32ToI8: case Conversion::I32ToI16: case Conversion::I32: case Conversion::U8ToI16:
    case Conversion::U16ToI32: case Conversion::U32ToI64: case Conversion::I64: case Conversion::I32Thousand:
    case Conversion::I64Thousand: case Conversion::U64ToI128:
      return true;
    default: return false;
  }
}

}  // namespace

void ColumnChunkReader::open_v1(const PageHeader& header, Page& page) {
  page.values = contents(header, position_, 0, chunk_.decompress, page_buffer_);
  page.end = page.values + header.uncompressed_size;
  if (!chunk_.optional) return;
  if (header.level_encoding == Encoding::Rle) {
    page.levels = sized_runs(page.values, page.end);
    return;
  }
  if (header.level_encoding != Encoding::BitPacked) throw Unsupported("levels have an unknown encoding");
  const int64_t bytes = (int64_t(header.num_values) + 7) / 8;
  if (bytes > page.end - page.values) throw Corrupt("the levels of a page are longer than the page");
  level_bytes_ = packed_run(page.values, bytes);
  const size_t used = level_bytes_.size();
  level_bytes_.resize(used + kPadding);
  page.levels = RleReader(level_bytes_.data(), level_bytes_.data() + used, 1);
  page.values += bytes;
}

void ColumnChunkReader::open_v2(const PageHeader& header, Page& page) {
  const int64_t levels = int64_t(header.definition_bytes) + header.repetition_bytes;
  const uint8_t* data = contents(header, position_, levels, chunk_.decompress && header.compressed, page_buffer_);
  page.values = data + levels;
  page.end = data + header.uncompressed_size;
  if (chunk_.optional) page.levels = RleReader(data + header.repetition_bytes, page.values, 1);
}

void ColumnChunkReader::open_values(Page& page) {
  if (page.encoding == Encoding::PlainDictionary || page.encoding == Encoding::RleDictionary) {
    page.encoding = Encoding::RleDictionary;
    int width = 0;
    if (page.values < page.end) width = *page.values++;
    page.codes = RleReader(page.values, page.end, width);
  } else if (page.encoding == Encoding::Rle && chunk_.conversion == Conversion::Bool) {
    page.codes = sized_runs(page.values, page.end);
  } else if (rewrites(page.encoding) && chunk_.conversion != Conversion::Bool) {
    if (page.values == page.end) {  // only NULLs, and not even a header
      page.encoding = Encoding::Plain;
      return;
    }
    PlainPage plain =
        to_plain(page.encoding, is_integer(chunk_.conversion), stored_width(chunk_), page.values, page.end, page.left);
    page.encoding = Encoding::Plain;
    plain_buffer_ = std::move(plain.bytes);
    page.values = plain_buffer_->data();
    page.end = page.values + plain.size;
  } else if (page.encoding != Encoding::Plain) {
    throw Unsupported("a page has an encoding that is not decoded here");
  }
}

void ColumnChunkReader::open_page(const PageHeader& header) {
  if (header.num_values > unopened_) throw Corrupt("the pages of a column chunk have more values than the chunk");
  Page page;
  page.left = header.num_values;
  page.encoding = header.encoding;
  const bool coded = page.encoding == Encoding::PlainDictionary || page.encoding == Encoding::RleDictionary;
  // A page that is not compressed is used where it was read, so nothing may be read after it.
  if (coded || !chunk_.decompress || !header.compressed) read_dictionary();
  if (header.type == PageType::DataV2) open_v2(header, page);
  else open_v1(header, page);
  open_values(page);
  page_ = page;
  unopened_ -= header.num_values;
}

}  // namespace tableflow::parquet
