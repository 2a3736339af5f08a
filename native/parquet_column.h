// Decodes one flat column chunk of a Parquet file, some rows at a time, into the representation the engine computes in.
//
// The bytes are untrusted: sizes are checked before anything is allocated or copied, codes before they are used.
// Buffers of results are new for each call and owned by the result alone; the dictionary of a chunk is shared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "code_filter.h"
#include "page_cache.h"
#include "parquet_file.h"
#include "parquet_page.h"
#include "parquet_rle.h"
#include "parquet_snappy.h"
#include "vector.h"

namespace tableflow::parquet {

// What is stored and what becomes of it.
enum class Conversion {
  Bool,       // BOOLEAN
  I32ToI8, I32ToI16, I32, U8ToI16, U16ToI32, U32ToI64,  // INT32 by logical type
  I64,        // INT64
  I32Thousand, I64Thousand,  // milliseconds to microseconds
  F32, F64,   // FLOAT, DOUBLE
  U64ToI128,  // INT64 without sign as a decimal
  I96,        // INT96: nanoseconds of a day and a Julian day
  F16,        // FIXED_LEN_BYTE_ARRAY(2)
  FixedToI64, FixedToI128,  // big-endian decimals of a fixed number of bytes
  BytesToI64, BytesToI128,  // and of any number
  String, FixedString,  // BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY: dictionary or string
};

struct ChunkDefinition {
  int64_t offset = 0;  // of the first page (the dictionary's, if there is one)
  int64_t size = 0;
  int64_t num_values = 0;
  bool optional = false;   // definition levels 0 and 1; otherwise there are none
  bool decompress = false; // pages are compressed
  Codec codec = Codec::Other;
  int type_length = 0;     // FIXED_LEN_BYTE_ARRAY
  Conversion conversion = Conversion::I64;
  std::string format;      // Arrow format of the result; of the values for strings
};

// Bytes of a stored value; 0 for BYTE_ARRAY.
int stored_width(const ChunkDefinition& chunk);

// Fills `out` with exactly `out_size` bytes or throws.
using Decompress = std::function<void(const uint8_t* in, size_t in_size, uint8_t* out, size_t out_size)>;

// A data page that is being read.
struct Page {
  int64_t left = 0;  // values, NULLs included
  Encoding encoding{};
  RleReader levels;
  RleReader codes;
  const uint8_t* values = nullptr;
  const uint8_t* end = nullptr;
  int64_t bit = 0;  // BOOLEAN, PLAIN: bits taken
};

// Puts the present values of a page into rows [row, row + rows) of the result that was begun last.
class Sink {
 public:
  virtual ~Sink() = default;
  // A page that lies in a buffer of its own may be kept; else `page` is null.
  virtual void dictionary(const uint8_t* data, const uint8_t* end, int64_t count, BufferPtr page) = 0;
  // The entries, at least one; null before there is a dictionary.
  virtual VectorPtr dictionary_values() const = 0;
  // `validity` is of the whole result; its bits are set before the rows are appended.  Null: the column has no NULL.
  virtual void begin(int64_t rows, const uint8_t* validity) = 0;
  // The next `present` values of the page, however they are stored.
  virtual void append(Page& page, int64_t row, int64_t rows, int64_t present) = 0;
  // Values of the dictionary; `present` codes, which are checked here.
  virtual void append_codes(const uint32_t* codes, int64_t row, int64_t rows, int64_t present) = 0;
  // Of the next `passed` values of a page without codes, the `present` ones at these (ascending) places.
  virtual void append_picked(Page& page, int64_t row, int64_t rows, const uint32_t* at, int64_t present, int64_t passed) = 0;
  // The first `rows` of the rows begun; the buffers are given away.
  virtual VectorPtr finish(int64_t rows, BufferPtr validity, int64_t nulls) = 0;
};

std::unique_ptr<Sink> make_fixed_sink(const ChunkDefinition& chunk);
std::unique_ptr<Sink> make_string_sink(const ChunkDefinition& chunk);

struct Matching {
  VectorPtr vector;
  std::vector<uint32_t> kept;  // which of the places they were at
  bool exact = true;
};

class ColumnChunkReader {
 public:
  ColumnChunkReader(int fd, ChunkDefinition chunk, Decompress decompress, PageCachePtr cache = nullptr)
      : ColumnChunkReader(std::make_shared<Descriptor>(fd), std::move(chunk), std::move(decompress), std::move(cache)) {}
  ColumnChunkReader(DescriptorPtr file, ChunkDefinition chunk, Decompress decompress, PageCachePtr cache = nullptr);

  int64_t left() const { return left_; }  // rows
  // Pages that were decompressed, and those that had been before.
  struct Pages {
    int64_t decompressed = 0, cached = 0;
  };
  const Pages& pages() const { return pages_; }
  // The next rows; `rows` must not exceed left().
  VectorPtr read(int64_t rows);
  // Of the next rows the ones at `count` ascending places; pages without any are not decompressed.
  VectorPtr read_at(int64_t rows, const uint32_t* at, int64_t count);
  // Of these (a negative count: of all rows) the ones whose dictionary entry is accepted; NULL is not.  Rows of pages without codes
  // are all taken, and `exact` is false then.
  Matching read_matching(int64_t rows, const uint32_t* at, int64_t count, const uint8_t* accepted, int64_t entries);
  // Passes rows over; whole pages are not decompressed.
  void skip(int64_t rows);
  // Goes on at a page further on, of which the offset index says where it lies and which row is its first.
  void jump(int64_t offset, int64_t first_row);
  // The entries of the dictionary, if the chunk begins with one; may have one more if it is empty.
  VectorPtr dictionary();

 private:
  // `passing`: what it speaks of may be passed over, so it is not read with it.
  PageHeader next_header(bool passing = false);
  // Opens the next page that has values; one with at most `passable` is passed over, and their number returned.
  int64_t next_page(int64_t passable);
  // Notes the dictionary page at the beginning, if there is one that has not been passed.
  void find_dictionary();
  // Reads the dictionary that was passed, when something needs it.
  void read_dictionary();
  void open_page(const PageHeader& header);
  bool has_texts(const PageHeader& header) const;
  // A page that is stored at a position, as long as its header says, of which all behind some plain bytes is decompressed if need be; it lies
  // in the buffer then, which others may have, too.
  const uint8_t* contents(const PageHeader& header, int64_t at, int64_t plain_bytes, bool compressed, BufferPtr& buffer);
  void decompress(const PageHeader& header, const uint8_t* in, size_t in_size, uint8_t* out, size_t out_size);
  // Where levels and values lie in a page of version 1 or 2, decompressed; afterwards `page_.values` begins with values.
  void open_v1(const PageHeader& header, Page& page);
  void open_v2(const PageHeader& header, Page& page);
  void open_values(Page& page);
  // Levels of the next rows of the page into the validity at `row`; returns how many are present.
  int64_t read_levels(uint8_t* validity, int64_t row, int64_t rows);
  // Ascending places among the next rows; without `at` all of them if there is a count.
  struct Places {
    const uint32_t* at;
    int64_t count;
  };
  Matching take(int64_t rows, Places places, const AcceptedEntries* filter);
  // Of the next n rows of the page, `row` being the first, those at these places go to the result; `first` is the number
  // of places before.
  void take_from_page(int64_t row, int64_t n, int64_t first, Places of, const AcceptedEntries* filter);
  // Reads the levels of n rows and finds where the places are among the present values of the page, of which n rows
  // have `passed`; returns how many places are present.
  int64_t rank_places(int64_t row, int64_t n, Places of, int64_t* passed);
  // Keeps the accepted codes; returns their number.
  int64_t filter_codes(int64_t first, int64_t count, const AcceptedEntries& filter);

  ChunkDefinition chunk_;
  Decompress decompress_;
  FileRange file_;
  CachedPages cached_;
  Pages pages_;
  std::unique_ptr<Sink> sink_;
  int64_t position_;  // of the next header
  int64_t left_;      // values of the chunk not delivered
  int64_t unopened_;  // values of pages not opened yet
  bool first_ = true;
  std::optional<PageHeader> dictionary_;  // of the dictionary that was passed but not read, and where it lies
  int64_t dictionary_at_ = 0;
  Page page_;
  BufferPtr page_buffer_, plain_buffer_;
  SnappyTexts snappy_texts_;
  std::vector<uint8_t> level_bytes_;  // levels that were packed again, padded
  // The result of take, and scratch memory of its pages.
  BufferPtr taken_validity_;
  int64_t taken_ = 0, taken_nulls_ = 0;
  bool exact_ = true, all_present_ = true;
  std::vector<uint8_t> levels_, present_;
  std::vector<uint32_t> places_, codes_;
  BufferPtr kept_;
};

}  // namespace tableflow::parquet
