#include "json_value.h"

#include <cstring>

namespace tableflow {

namespace {

const uint8_t* plain_text(TextColumn& column, const uint8_t* p, int64_t size) {
  copy_text(column.text(size), p, size);
  column.end_text(size);
  return p + size;
}

// What is no string as text: whole numbers, true and false as they are written.
const uint8_t* word_text(TextColumn& column, const uint8_t* p) {
  if (is_word(p, "true")) return plain_text(column, p, 4);
  if (*p == 'f' && is_word(p + 1, "alse")) return plain_text(column, p, 5);
  const uint8_t* end = number_end(p);
  if (!end || (p[0] == '-' && p[1] == '0')) return nullptr;
  for (const uint8_t* c = p + 1; c < end; ++c)
    if (!is_digit(*c)) return nullptr;
  return plain_text(column, p, end - p);
}

// A number that may stand in quotes.
template <class T, class Read> const uint8_t* number(TextColumn& column, const uint8_t* p, Read read) {
  const bool quoted = *p == '"';
  T value;
  p = read(p + quoted, &value);
  if (!p || (quoted && *p++ != '"')) return nullptr;
  column.append(value);
  return p;
}

template <class T> const uint8_t* integer(TextColumn& column, const uint8_t* p) {
  return number<T>(column, p, [](const uint8_t* from, T* value) {
    const uint8_t* end = read_integer(from, false, value);
    return end && *end != '.' && (*end | 0x20) != 'e' ? end : nullptr;
  });
}

template <class T> const uint8_t* real(TextColumn& column, const uint8_t* p) {
  return number<T>(column, p, [](const uint8_t* from, T* value) { return read_real(from, value); });
}

template <class T> const uint8_t* decimal(TextColumn& column, const uint8_t* p) {
  return number<T>(column, p, [&](const uint8_t* from, T* value) {
    return read_decimal(from, column.definition.precision, column.definition.scale, false, false, value);
  });
}

const uint8_t* boolean(TextColumn& column, const uint8_t* p) {
  if (is_word(p, "true")) {
    column.append<uint8_t>(1);
    return p + 4;
  }
  if (*p != 'f' || !is_word(p + 1, "alse")) return nullptr;
  column.append<uint8_t>(0);
  return p + 5;
}

const uint8_t* moment(TextColumn& column, const uint8_t* p) {
  int64_t value = 0;
  int32_t days = 0;
  bool zoned;
  const TextDefinition& of = column.definition;
  switch (of.kind) {
    case TextKind::Date: p = read_date(p, &days); break;
    case TextKind::Time: p = read_time(p, of.precision, of.scale, &value); break;
    default: p = read_timestamp(p, of.precision, of.scale, &value, &zoned);
  }
  if (!p || *p != '"') return nullptr;
  if (of.kind == TextKind::Date) column.append(days);
  else column.append(value);
  return p + 1;
}

}  // namespace

const uint8_t* json_text(TextColumn& column, const uint8_t* p) {
  const uint8_t* begin = ++p;
  p = text_end(p);
  if (*p == '"') return plain_text(column, begin, p - begin) + 1;
  p = skip_string(p);
  if (!p) return nullptr;
  uint8_t* to = column.text(p - begin);
  const uint8_t* end = unescape(begin, to);
  if (!end) return nullptr;
  column.end_text(end - to);
  return p;
}

// Bytes written as digits, "\\x0102": rare, and left to slower means.
bool is_hexadecimal(const uint8_t* p) { return std::memcmp(p, "\\\\x", 3) == 0; }

const uint8_t* json_scalar(TextColumn& column, const uint8_t* p) {
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
    case TextKind::String: return *p == '"' ? json_text(column, p) : word_text(column, p);
    case TextKind::Bytes: return *p == '"' && !is_hexadecimal(p + 1) ? json_text(column, p) : nullptr;
    default: return *p == '"' ? moment(column, p + 1) : nullptr;
  }
}

}  // namespace tableflow
