#include "text_column.h"

#include <algorithm>

namespace tableflow {

namespace {

constexpr int64_t kMostText = (int64_t(1) << 31) - 64;  // offsets are 32 bits wide

// Bytes of a stored value; 0 where there are none of a fixed width.  BOOLEAN is a byte until it is finished.
int stored(TextKind kind) {
  switch (kind) {
    case TextKind::Bool: case TextKind::I8: return 1;
    case TextKind::I16: return 2;
    case TextKind::I32: case TextKind::F32: case TextKind::Date: return 4;
    case TextKind::I64: case TextKind::F64: case TextKind::Decimal64: case TextKind::Time: case TextKind::Timestamp: return 8;
    case TextKind::Decimal128: return 16;
    default: return 0;
  }
}

Kind kind_of(TextKind kind) {
  switch (kind) {
    case TextKind::Bool: return Kind::Bool;
    case TextKind::I8: return Kind::I8;
    case TextKind::I16: return Kind::I16;
    case TextKind::I32: case TextKind::Date: return Kind::I32;
    case TextKind::F32: return Kind::F32;
    case TextKind::F64: return Kind::F64;
    case TextKind::Decimal128: return Kind::I128;
    default: return Kind::I64;
  }
}

BufferPtr grown(const BufferPtr& old, size_t kept, size_t size) {
  auto made = std::make_shared<Buffer>(size);
  if (kept) std::memcpy(made->data(), old->data(), kept);
  return made;
}

BufferPtr packed(const uint8_t* bytes, int64_t n) {
  auto bits = std::make_shared<Buffer>(size_t(n + 7) / 8);
  std::memset(bits->data(), 0, bits->size());
  for (int64_t i = 0; i < n; ++i) bits->data()[i >> 3] |= uint8_t(bytes[i] << (i & 7));
  return bits;
}

}  // namespace

TextColumn::TextColumn(TextDefinition of) : definition(std::move(of)) {
  children.reserve(definition.children.size());
  for (const TextDefinition& child : definition.children) children.emplace_back(child);
  start();
}

void TextColumn::start() {
  length = capacity_ = nulls_ = used_ = room_ = 0;
  data_ = valid_ = nullptr;
  offsets_ = nullptr;
  data_buffer_ = offsets_buffer_ = valid_buffer_ = nullptr;
  if (has_offsets()) grow(0);
}

void TextColumn::reserve(int64_t rows) {
  if (rows > capacity_) grow(rows);
  if (definition.kind == TextKind::Row)
    for (TextColumn& child : children) child.reserve(rows);
  if (is_text() && !room_) grow_text(guess_);
}

void TextColumn::grow(int64_t rows) {
  if (rows > kMostText) throw std::length_error("too many values in a block of text");
  const int64_t wanted = capacity_ ? std::max(rows, 2 * capacity_) : rows;
  if (const int bytes = stored(definition.kind)) {
    data_buffer_ = grown(data_buffer_, size_t(length * bytes), size_t(wanted * bytes));
    data_ = data_buffer_->data();
  }
  if (has_offsets()) {
    const bool first = !offsets_buffer_;
    offsets_buffer_ = grown(offsets_buffer_, first ? 0 : size_t(length + 1) * 4, size_t(wanted + 1) * 4);
    offsets_ = offsets_buffer_->as<int32_t>();
    if (first) offsets_[0] = 0;
  }
  if (valid_) {
    const size_t had = size_t(capacity_ + 7) / 8, size = size_t(wanted + 7) / 8;
    valid_buffer_ = grown(valid_buffer_, had, size);
    valid_ = valid_buffer_->data();
    std::memset(valid_ + had, 0xff, size - had);
  }
  capacity_ = wanted;
}

void TextColumn::grow_text(int64_t bytes) {
  if (bytes > kMostText) throw std::length_error("too much text in a block");
  const int64_t wanted = std::min(std::max(bytes, 2 * room_), kMostText);
  data_buffer_ = grown(data_buffer_, size_t(used_), size_t(wanted));
  data_ = data_buffer_->data();
  room_ = wanted;
}

void TextColumn::mark_null(int64_t at) {
  if (!valid_) {
    const size_t size = size_t(capacity_ + 7) / 8;
    valid_buffer_ = std::make_shared<Buffer>(size);
    valid_ = valid_buffer_->data();
    std::memset(valid_, 0xff, size);
  }
  valid_[at >> 3] &= uint8_t(~(1u << (at & 7)));
  ++nulls_;
}

void TextColumn::append_null() {
  if (length == capacity_) grow(length + 1);
  mark_null(length);
  if (const int bytes = stored(definition.kind)) std::memset(data_ + length * bytes, 0, size_t(bytes));
  else if (is_text()) offsets_[length + 1] = int32_t(used_);
  else if (offsets_) offsets_[length + 1] = int32_t(children[0].length);
  else for (TextColumn& child : children) child.append_null();
  ++length;
}

void TextColumn::truncate(int64_t n) {
  for (int64_t i = n; valid_ && i < length; ++i) {
    if (bit(valid_, i)) continue;
    set_bit(valid_, i);
    --nulls_;
  }
  length = std::min(length, n);
  if (is_text()) used_ = offsets_[length];
  for (TextColumn& child : children) child.truncate(offsets_ ? offsets_[length] : length);
}

TextResult TextColumn::finish() {
  TextResult result;
  result.kind = definition.kind;
  result.length = length;
  result.null_count = nulls_;
  if (nulls_) result.validity = valid_buffer_;
  if (is_text()) {
    guess_ = std::max<int64_t>(1 << 12, used_ + used_ / 8);
    if (!data_buffer_) data_buffer_ = std::make_shared<Buffer>(0);
    result.vector = make_string(definition.format, length, offsets_buffer_, data_buffer_, result.validity, nulls_);
  } else if (stored(definition.kind)) {
    if (!data_buffer_) data_buffer_ = std::make_shared<Buffer>(0);
    BufferPtr values = definition.kind == TextKind::Bool ? packed(data_buffer_->data(), length) : data_buffer_;
    result.vector = make_fixed(kind_of(definition.kind), definition.format, length, values, result.validity, nulls_);
  } else {
    result.offsets = offsets_buffer_;
    for (TextColumn& child : children) result.children.push_back(child.finish());
  }
  start();
  return result;
}

}  // namespace tableflow
