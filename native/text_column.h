// Columns that grow value by value as text is decoded: typed buffers, a validity made when the first NULL comes, children.
//
// A row that turns out to be wrong half way is taken back with truncate(), so that what stays are whole rows.  finish() gives the
// buffers away and leaves the column empty, with a guess of how much the next block will need.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vector.h"

namespace tableflow {

enum class TextKind : uint8_t {
  Bool, I8, I16, I32, I64, F32, F64, Decimal64, Decimal128, String, Bytes, Date, Time, Timestamp, Row, Array, Map
};

// What is to be decoded, with the children's definitions.
struct TextDefinition {
  std::string name;
  TextKind kind = TextKind::String;
  std::string format;   // Arrow's, of leaves
  int precision = 0;    // Decimal: digits; Time, Timestamp: 6 or 9 digits of a second that are stored
  int scale = 0;        // Decimal: digits behind the point; Time, Timestamp: digits of a second that count
  std::vector<TextDefinition> children;
};

// Copies in steps of 16 bytes: both sides have room for 15 more than `size`.
inline void copy_text(uint8_t* to, const uint8_t* from, int64_t size) {
  for (int64_t i = 0; i < size; i += 16) std::memcpy(to + i, from + i, 16);
}

class TextColumn;

// The buffers of a column: a vector for leaves, else validity and offsets (Array, Map) and children.
struct TextResult {
  VectorPtr vector;
  TextKind kind{};
  int64_t length = 0, null_count = 0;
  BufferPtr validity, offsets;
  std::vector<TextResult> children;
};

class TextColumn {
 public:
  explicit TextColumn(TextDefinition definition);

  const TextDefinition definition;
  std::vector<TextColumn> children;
  int64_t length = 0;

  // Room for so many values in all; children of rows too.
  void reserve(int64_t rows);
  void append_null();
  template <class T> void append(T value) {
    if (length == capacity_) grow(length + 1);
    reinterpret_cast<T*>(data_)[length++] = value;
  }
  // Room for `bytes` of text and 16 more; they are given to the next value by end_text().
  uint8_t* text(int64_t bytes) {
    if (length == capacity_) grow(length + 1);
    if (used_ + bytes + 16 > room_) grow_text(used_ + bytes + 16);
    return data_ + used_;
  }
  void end_text(int64_t bytes) {
    used_ += bytes;
    offsets_[++length] = int32_t(used_);
  }
  // Ends a row whose children have their values, or an array or map whose elements are appended.
  void end_nested() {
    if (length == capacity_) grow(length + 1);
    ++length;
    if (offsets_) offsets_[length] = int32_t(children[0].length);
  }
  // The text at an index; String and Bytes only.
  std::string_view text_at(int64_t i) const {
    return {reinterpret_cast<const char*>(data_) + offsets_[i], size_t(offsets_[i + 1] - offsets_[i])};
  }
  int64_t element_start() const { return offsets_[length]; }
  // Keeps the first n values.
  void truncate(int64_t n);
  TextResult finish();

 private:
  void grow(int64_t rows);
  void grow_text(int64_t bytes);
  void mark_null(int64_t at);
  bool is_text() const { return definition.kind == TextKind::String || definition.kind == TextKind::Bytes; }
  bool has_offsets() const { return is_text() || definition.kind == TextKind::Array || definition.kind == TextKind::Map; }
  void start();

  int64_t capacity_ = 0;
  int64_t nulls_ = 0;
  uint8_t* data_ = nullptr;      // values, or bytes of text
  int32_t* offsets_ = nullptr;
  uint8_t* valid_ = nullptr;     // null until there is a NULL; bits behind `length` are set
  int64_t used_ = 0, room_ = 0;  // bytes of text
  int64_t guess_ = 1 << 12;      // of bytes of text in a block
  BufferPtr data_buffer_, offsets_buffer_, valid_buffer_;
};

}  // namespace tableflow
