#include "csv_records.h"

#include <stdexcept>

#include "text_scan.h"
#include "text_value.h"

namespace tableflow {

namespace {

constexpr int64_t kMargin = 64;

TextDefinition row_of(std::vector<TextDefinition> fields) {
  TextDefinition row;
  row.kind = TextKind::Row;
  row.children = std::move(fields);
  return row;
}

template <class T> const uint8_t* integer(TextColumn& column, const uint8_t* p) {
  T value;
  p = read_integer(p, true, &value);
  if (p) column.append(value);
  return p;
}

template <class T> const uint8_t* real(TextColumn& column, const uint8_t* p) {
  T value;
  p = read_real(p, &value);
  if (p) column.append(value);
  return p;
}

template <class T> const uint8_t* decimal(TextColumn& column, const uint8_t* p) {
  T value;
  p = read_decimal(p, column.definition.precision, column.definition.scale, true, true, &value);
  if (p) column.append(value);
  return p;
}

const uint8_t* boolean(TextColumn& column, const uint8_t* p) {
  static constexpr struct { const char* word; int size; uint8_t value; } kWords[] = {
      {"true", 4, 1}, {"false", 5, 0}, {"True", 4, 1}, {"False", 5, 0}, {"TRUE", 4, 1}, {"FALSE", 5, 0}, {"1", 1, 1}, {"0", 1, 0}};
  for (const auto& one : kWords) {
    if (std::memcmp(p, one.word, size_t(one.size))) continue;
    column.append(one.value);
    return p + one.size;
  }
  return nullptr;
}

const uint8_t* moment(TextColumn& column, const uint8_t* p) {
  int64_t value = 0;
  int32_t days = 0;
  bool zoned = false;
  const TextDefinition& of = column.definition;
  switch (of.kind) {
    case TextKind::Date: p = read_date(p, &days); break;
    case TextKind::Time: p = read_time(p, of.precision, of.scale, &value); break;
    default:
      p = read_timestamp(p, of.precision, of.scale, &value, &zoned);
      if (zoned != (of.format.back() != ':')) return nullptr;  // instants name their zone, and nothing else does
  }
  if (!p) return nullptr;
  if (of.kind == TextKind::Date) column.append(days);
  else column.append(value);
  return p;
}

// A value that is not text; where it ends, or null.
const uint8_t* scalar(TextColumn& column, const uint8_t* p) {
  switch (column.definition.kind) {
    case TextKind::Bool: return boolean(column, p);
    case TextKind::I8: return integer<int8_t>(column, p);
    case TextKind::I16: return integer<int16_t>(column, p);
    case TextKind::I32: return integer<int32_t>(column, p);
    case TextKind::I64: return integer<int64_t>(column, p);
    case TextKind::F32: return real<float>(column, p);
    case TextKind::F64: return real<double>(column, p);
    case TextKind::Decimal64: return decimal<int64_t>(column, p);
    case TextKind::Decimal128: return decimal<int128>(column, p);
    default: return moment(column, p);
  }
}

bool is_text(const TextColumn& column) {
  return column.definition.kind == TextKind::String || column.definition.kind == TextKind::Bytes;
}

}  // namespace

CsvRecords::CsvRecords(std::vector<TextDefinition> columns, const std::vector<int>& places, int fields, CsvDialect dialect)
    : root_(row_of(std::move(columns))), columns_(size_t(fields), -1), dialect_(std::move(dialect)) {
  if (places.size() != root_.children.size()) throw std::invalid_argument("as many places as columns are wanted");
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] < 0 || places[i] >= fields || columns_[size_t(places[i])] >= 0) throw std::invalid_argument("no place of a field");
    columns_[size_t(places[i])] = int(i);
  }
  if (dialect_.null.size() > kLongestNull) throw std::invalid_argument("what NULL is written as is too long");
}

int64_t CsvRecords::decode(const uint8_t* data, int64_t size, int64_t at) {
  if (at < 0 || at > size) throw std::out_of_range("a position outside of the text");
  root_.reserve(root_.length + count_byte(data + at, size - at, '\n') + 1);
  // Where the margin behind a record is not there, the record is copied to where it is.
  int64_t near = size - kMargin;
  while (near > at && data[near - 1] != '\n') --near;
  if (near > at) {
    at = records(data + at, data + near) - data;
    if (at < near && !cut_) return at;
  }
  std::string rest(reinterpret_cast<const char*>(data + at), size_t(size - at));
  if (!rest.empty() && rest.back() != '\n') rest += '\n';
  const size_t text = rest.size();
  rest.append(size_t(kMargin), '\n');
  const auto* begin = reinterpret_cast<const uint8_t*>(rest.data());
  const int64_t stopped = records(begin, begin + text) - begin;
  return stopped == int64_t(text) ? size : at + stopped;
}

const uint8_t* CsvRecords::records(const uint8_t* p, const uint8_t* end) {
  cut_ = false;
  while (p < end) {
    const uint8_t* begin = p;
    if (columns_.size() != 1 && (*p == '\n' || (*p == '\r' && p[1] == '\n'))) {  // an empty line is no record
      p += *p == '\r' ? 2 : 1;
      continue;
    }
    const int64_t row = root_.length;
    p = record(p, end);
    if (!p) {
      root_.truncate(row);
      return begin;
    }
    root_.end_nested();
  }
  return p;
}

const uint8_t* CsvRecords::record(const uint8_t* p, const uint8_t* end) {
  const size_t fields = columns_.size();
  for (size_t i = 0;;) {
    const int column = columns_[i];
    if (*p == dialect_.quote) p = quoted(column < 0 ? nullptr : &root_.children[size_t(column)], p, end);
    else if (column < 0) p = first_of(p, dialect_.delimiter, '\n', '\r');
    else p = plain(root_.children[size_t(column)], p);
    if (!p) return nullptr;
    ++i;
    if (*p == dialect_.delimiter) {
      if (i == fields) return nullptr;
      ++p;
      continue;
    }
    if (i != fields) return nullptr;
    p += *p == '\r';
    return *p == '\n' ? p + 1 : nullptr;
  }
}

bool CsvRecords::is_null(const uint8_t* p) const {
  const std::string& null = dialect_.null;
  return ends_field(p[null.size()]) && std::memcmp(p, null.data(), null.size()) == 0;
}

const uint8_t* CsvRecords::plain(TextColumn& column, const uint8_t* p) {
  if (is_null(p)) {
    column.append_null();
    return p + dialect_.null.size();
  }
  if (is_text(column)) {
    const uint8_t* end = first_of(p, dialect_.delimiter, '\n', '\r');
    copy_text(column.text(end - p), p, end - p);
    column.end_text(end - p);
    return end;
  }
  p = scalar(column, p);
  return p && ends_field(*p) ? p : nullptr;
}

const uint8_t* CsvRecords::quoted(TextColumn* column, const uint8_t* p, const uint8_t* end) {
  const auto quote = uint8_t(dialect_.quote);
  const uint8_t* begin = ++p;
  bool doubled = false;
  for (;; p += 2) {
    p = first_byte(p, end, quote);
    if (!p) {
      cut_ = true;
      return nullptr;
    }
    if (p[1] != quote) break;
    doubled = true;
  }
  if (!ends_field(p[1])) return nullptr;
  if (!column) return p + 1;
  if (!is_text(*column)) return scalar(*column, begin) == p ? p + 1 : nullptr;
  uint8_t* to = column->text(p - begin);
  if (!doubled) {
    copy_text(to, begin, p - begin);
    column->end_text(p - begin);
    return p + 1;
  }
  const uint8_t* out = to;
  for (const uint8_t* c = begin; c < p; ++c) {
    *to++ = *c;
    c += *c == quote;  // it stands there twice
  }
  column->end_text(to - out);
  return p + 1;
}

std::vector<TextResult> CsvRecords::finish() {
  TextResult whole = root_.finish();
  return std::move(whole.children);
}

}  // namespace tableflow
