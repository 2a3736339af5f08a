// Page headers of Parquet files (thrift compact protocol), read from untrusted bytes.
//
// Every read is checked against the end; a header that is cut off is told apart from one that is wrong, so that the caller
// can come back with more bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace tableflow::parquet {

// The file contradicts itself or its format.
struct Corrupt : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
// A part of the format that this decoder leaves to others.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The bytes end inside the header.
struct Truncated : std::exception {};

enum class PageType : int32_t { Data = 0, Index = 1, Dictionary = 2, DataV2 = 3 };
enum class Encoding : int32_t {
  Plain = 0, PlainDictionary = 2, Rle = 3, BitPacked = 4, DeltaBinaryPacked = 5, DeltaLengthByteArray = 6,
  DeltaByteArray = 7, RleDictionary = 8, ByteStreamSplit = 9,
};

struct PageHeader {
  PageType type{};
  int32_t uncompressed_size = -1;  // of everything after the header
  int32_t compressed_size = -1;
  int32_t num_values = -1;  // NULLs included
  Encoding encoding{};
  Encoding level_encoding = Encoding::Rle;  // of definition levels, data pages of version 1
  int32_t definition_bytes = 0;             // version 2 only
  int32_t repetition_bytes = 0;
  bool compressed = true;
  int64_t offset = 0;  // of the header in the file, as whoever parsed it knows
};

// Parses one header; `used` is its length.  Throws Truncated or Corrupt.
PageHeader parse_page_header(const uint8_t* data, size_t size, size_t* used);

}  // namespace tableflow::parquet
