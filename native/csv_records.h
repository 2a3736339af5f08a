// Delimited records into columns: the wanted fields only, quoted or not.
//
// A record that is not plain (another number of fields, a value that does not fit its type as it stands, a quote that closes no field, a
// carriage return without line feed) stops the decoder in front of it; the caller reads that record by slower means.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text_column.h"

namespace tableflow {

struct CsvDialect {
  uint8_t delimiter = ',';
  int quote = '"';   // -1: none
  std::string null;  // what NULL is written as, without quotes; at most kLongestNull bytes
};

class CsvRecords {
 public:
  static constexpr size_t kLongestNull = 32;

  // `fields` is how many a record has, `places` which of them the columns are, each at most once.
  CsvRecords(std::vector<TextDefinition> columns, const std::vector<int>& places, int fields, CsvDialect dialect);

  // Decodes the records from `at` on; returns the offset of the first one that is not plain, or `size`.
  int64_t decode(const uint8_t* data, int64_t size, int64_t at);
  int64_t rows() const { return root_.length; }
  // The columns of the rows so far, which are forgotten.
  std::vector<TextResult> finish();

 private:
  bool ends_field(uint8_t c) const { return c == dialect_.delimiter || c == '\n' || c == '\r'; }
  bool is_null(const uint8_t* p) const;
  // Records in [p, end), of which the last ends there with a line end; 64 bytes may be read behind it.
  const uint8_t* records(const uint8_t* p, const uint8_t* end);
  const uint8_t* record(const uint8_t* p, const uint8_t* end);
  // Each returns where the field ends (at a delimiter or line end), or null.
  const uint8_t* plain(TextColumn& column, const uint8_t* p);
  const uint8_t* quoted(TextColumn* column, const uint8_t* p, const uint8_t* end);

  TextColumn root_;
  std::vector<int> columns_;  // of each field, -1: not wanted
  CsvDialect dialect_;
  bool cut_ = false;  // a quote was still open at the end of what was given
};

}  // namespace tableflow
