#include "row_store.h"

#include "hash.h"
#include "interval.h"

namespace tableflow {

namespace {

int128 wide_at(const LoadedColumn& from, int i) {
  int128 value;
  std::memcpy(&value, from.values.data() + 2 * i, 16);
  return value;
}

bool is_interval(const KeyColumn& type) { return type.kind == Kind::Interval; }

template <class T> int order(const T& x, const T& y) { return x < y ? -1 : int(y < x); }

}  // namespace

RowStore::RowStore(const std::vector<std::string>& formats) {
  for (const auto& format : formats) {
    Stored column(format);
    const KeyColumn& type = column.type;
    switch (type.key_class) {
      case KeyClass::Text: column.width = int(sizeof(Text)); break;
      case KeyClass::Wide: column.width = 16; break;
      case KeyClass::Real: column.width = 8; break;
      case KeyClass::Integer: column.width = type.kind == Kind::Null ? 0 : type.kind == Kind::Bool ? 1 : tableflow::width(type.kind); break;
    }
    columns_.push_back(std::move(column));
  }
}

void RowStore::load(int c, const Input& input, const Piece& piece, LoadedColumn& out) const {
  const KeyColumn& type = columns_[size_t(c)].type;
  const Vector& v = *input.vector;
  out.nulls.resize(piece_rows);
  if (type.key_class == KeyClass::Text && v.kind != Kind::Null) {
    if (v.kind != Kind::Dict && v.kind != Kind::Str && v.kind != Kind::LargeStr)
      throw std::invalid_argument("a text is not stored as text");
    out.texts.resize(piece_rows);
    out.any_null = may_hold_nulls(v);
    with_positions(piece, input, [&](auto at) {
      for (int i = 0; i < piece.n; ++i) {
        const int64_t row = at(i);
        if (v.kind == Kind::Dict && v.valid(row) && uint64_t(v.code(row)) >= uint64_t(v.dictionary->length))
          throw std::out_of_range("a dictionary code lies behind the last entry");
        const bool valid = !out.any_null || row_is_valid(v, row);
        out.nulls[size_t(i)] = !valid;
        out.texts[size_t(i)] = valid ? text_at(v, row) : std::string_view();
      }
    });
    return;
  }
  out.values.resize(size_t(piece_rows) * (type.key_class == KeyClass::Wide || type.key_class == KeyClass::Text ? 2 : 1));
  if (type.key_class == KeyClass::Text) {  // all NULL
    out.texts.assign(piece_rows, {});
    std::fill_n(out.nulls.data(), piece.n, uint8_t(1));
    out.any_null = true;
    return;
  }
  out.any_null = load_fixed(type, input, piece, out.values.data(), out.nulls.data());
  if (is_interval(type) && v.kind == Kind::Interval) {  // as it is written; the length is for comparing
    with_positions(piece, input, [&](auto at) {
      for (int i = 0; i < piece.n; ++i) {
        const int128 value = value_at(v.values<int128>(), at(i));
        std::memcpy(out.values.data() + 2 * i, &value, 16);
      }
    });
  }
}

uint64_t RowStore::hash(int c, const LoadedColumn& from, int i) const {
  if (from.any_null && from.nulls[size_t(i)]) return null_hash;
  const KeyColumn& type = columns_[size_t(c)].type;
  if (type.key_class == KeyClass::Text) return hash_value(from.texts[size_t(i)]);
  if (type.key_class != KeyClass::Wide) return hash_value(from.values[size_t(i)]);
  const int128 value = wide_at(from, i);
  return hash_value(is_interval(type) ? interval_length(&value) : value);
}

int64_t RowStore::Stored::integer(uint32_t slot) const {
  switch (width) {
    case 1: return get<int8_t>(slot);
    case 2: return get<int16_t>(slot);
    case 4: return get<int32_t>(slot);
    case 8: return get<int64_t>(slot);
    default: return 0;
  }
}

int64_t RowStore::integer(int c, uint32_t slot) const { return columns_[size_t(c)].integer(slot); }

uint64_t RowStore::hash_stored(int c, uint32_t slot) const {
  const Stored& column = columns_[size_t(c)];
  if (column.is_null(slot) || column.width == 0) return null_hash;
  if (column.text()) return hash_value(column.get<Text>(slot).view());
  if (column.type.key_class != KeyClass::Wide) return hash_value(column.integer(slot));
  const int128 value = column.get<int128>(slot);
  return hash_value(is_interval(column.type) ? interval_length(&value) : value);
}

bool RowStore::same(int c, const LoadedColumn& from, int i, uint32_t slot) const {
  const Stored& column = columns_[size_t(c)];
  const bool null = from.any_null && from.nulls[size_t(i)];
  const bool stored_null = column.is_null(slot) || column.width == 0;
  if (null || stored_null) return null && stored_null;
  if (column.text()) return column.get<Text>(slot).view() == from.texts[size_t(i)];
  if (column.type.key_class != KeyClass::Wide) return column.integer(slot) == from.values[size_t(i)];
  const int128 a = column.get<int128>(slot), b = wide_at(from, i);
  return is_interval(column.type) ? interval_length(&a) == interval_length(&b) : a == b;
}

int RowStore::compare(int c, uint32_t a, uint32_t b) const {
  const Stored& column = columns_[size_t(c)];
  if (column.width == 0) return 0;
  if (column.text()) {
    const Text x = column.get<Text>(a), y = column.get<Text>(b);
    return order(x.view(), y.view());
  }
  if (column.type.key_class != KeyClass::Wide) return order(column.integer(a), column.integer(b));
  const int128 x = column.get<int128>(a), y = column.get<int128>(b);
  return is_interval(column.type) ? order(interval_length(&x), interval_length(&y)) : order(x, y);
}

int RowStore::compare(int c, const LoadedColumn& from, int i, uint32_t slot) const {
  const Stored& column = columns_[size_t(c)];
  if (column.width == 0) return 0;
  if (column.text()) return order(from.texts[size_t(i)], column.get<Text>(slot).view());
  if (column.type.key_class != KeyClass::Wide) return order(from.values[size_t(i)], column.integer(slot));
  const int128 x = wide_at(from, i), y = column.get<int128>(slot);
  return is_interval(column.type) ? order(interval_length(&x), interval_length(&y)) : order(x, y);
}

void RowStore::resize(size_t slots) {
  for (Stored& column : columns_) {
    column.data.resize_zero(slots * size_t(column.width));
    if (!column.nulls.empty()) column.nulls.resize_zero(slots);
  }
  slots_ = slots;
}

void RowStore::begin(std::span<const Input> inputs) {
  for (size_t c = 0; c < columns_.size(); ++c)
    if (columns_[c].text()) columns_[c].pin = pins_.begin(*inputs[c].vector);
}

RowStore::Text RowStore::copied(std::string_view value, TextBlocks& blocks) {
  Text text;
  text.length = uint32_t(value.size());
  text.point_to(blocks.take(value.size()), 0);
  std::memcpy(text.data(), value.data(), value.size());
  return text;
}

void RowStore::give(const Text& text) {
  if (!text.is_long()) return;
  if (text.pin()) pins_.drop(text.pin(), text.length);
  else blocks_.give(text.data(), text.length);
}

void RowStore::tidy(size_t slots) {
  for (; slots && slots_ && pins_.wasteful(); --slots, ++tidied_) {
    if (tidied_ >= slots_) tidied_ = 0;
    for (Stored& column : columns_) {
      if (!column.text()) continue;
      const Text text = column.get<Text>(uint32_t(tidied_));
      if (!text.is_long() || !text.pin() || !pins_.sparse(text.pin())) continue;
      column.set(uint32_t(tidied_), copied(text.view(), blocks_));
      give(text);
    }
  }
}

void RowStore::put(int c, const LoadedColumn& from, int i, uint32_t slot) {
  Stored& column = columns_[size_t(c)];
  const bool null = from.any_null && from.nulls[size_t(i)];
  if (null && column.nulls.empty()) column.nulls.resize_zero(slots_);
  if (!column.nulls.empty()) column.nulls[slot] = null;
  if (column.text()) {
    Text text;
    if (!null) {
      const std::string_view value = from.texts[size_t(i)];
      text.length = uint32_t(value.size());
      if (!text.is_long()) {
        if (!value.empty()) std::memcpy(text.bytes, value.data(), value.size());
      } else if (column.pin) {
        text.point_to(value.data(), column.pin);
        pins_.hold(column.pin, value.size());
      } else {
        text = copied(value, blocks_);
      }
    }
    column.set(slot, text);
    return;
  }
  switch (column.width) {
    case 1: column.set(slot, int8_t(from.values[size_t(i)])); break;
    case 2: column.set(slot, int16_t(from.values[size_t(i)])); break;
    case 4: column.set(slot, int32_t(from.values[size_t(i)])); break;
    case 8: column.set(slot, from.values[size_t(i)]); break;
    case 16: column.set(slot, wide_at(from, i)); break;
    default: break;
  }
}

void RowStore::drop(uint32_t slot) {
  for (Stored& column : columns_) {
    if (!column.text()) continue;
    give(column.get<Text>(slot));
    column.set(slot, Text{});
  }
}

void RowStore::move(uint32_t from, uint32_t to) {
  for (Stored& column : columns_) {
    const size_t width = size_t(column.width);
    std::memcpy(column.data.data() + to * width, column.data.data() + from * width, width);
    if (column.text()) column.set(from, Text{});
    if (!column.nulls.empty()) column.nulls[to] = column.nulls[from];
  }
}

void RowStore::shrink(size_t rows, size_t slots) {
  TextBlocks blocks;
  for (Stored& column : columns_) {
    column.data.shrink(rows * size_t(column.width));
    column.data.resize_zero(slots * size_t(column.width));
    if (!column.nulls.empty()) {
      column.nulls.shrink(rows);
      column.nulls.resize_zero(slots);
    }
    for (uint32_t slot = 0; column.text() && slot < rows; ++slot) {
      const Text text = column.get<Text>(slot);
      if (!text.is_long() || (text.pin() && !pins_.sparse(text.pin()))) continue;
      column.set(slot, copied(text.view(), blocks));
      if (text.pin()) pins_.drop(text.pin(), text.length);
    }
  }
  blocks_ = std::move(blocks);
  slots_ = slots;
}

VectorPtr RowStore::gather(int c, const uint32_t* slots, int64_t n, bool nullable) const {
  const Stored& column = columns_[size_t(c)];
  const KeyColumn& type = column.type;
  const auto null = [&](int64_t i) { return (nullable && slots[i] == no_slot) || column.is_null(slots[i]); };
  const bool may_be_null = nullable || !column.nulls.empty();
  if (type.kind == Kind::Null) {
    auto v = std::make_shared<Vector>();
    v->format = type.format;
    v->length = v->null_count = n;
    return v;
  }
  if (column.text()) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; ++i)
      if (!may_be_null || !null(i)) bytes += column.get<Text>(slots[i]).length;
    StringWriter out(n, bytes);
    for (int64_t i = 0; i < n; ++i) {
      if (may_be_null && null(i)) {
        out.append_null();
      } else {
        const Text text = column.get<Text>(slots[i]);
        out.append(text.view());
      }
    }
    return out.finish(type.format == "z");
  }
  BufferPtr validity;
  int64_t nulls = 0;
  for (int64_t i = 0; may_be_null && i < n; ++i) {
    if (!null(i)) continue;
    if (!validity) {
      validity = std::make_shared<Buffer>(size_t(n + 7) / 8);
      std::memset(validity->data(), 0xff, validity->size());
    }
    validity->data()[i >> 3] &= uint8_t(~(1u << (i & 7)));
    ++nulls;
  }
  const size_t bytes = type.kind == Kind::Bool ? size_t(n + 7) / 8 : size_t(n) * size_t(tableflow::width(type.kind));
  auto data = std::make_shared<Buffer>(bytes);
  const auto at = [&](int64_t i) { return nullable && slots[i] == no_slot ? 0u : slots[i]; };
  const auto write = [&]<class T>(T* out) {
    if (slots_ == 0) return (void)std::memset(static_cast<void*>(out), 0, bytes);
    for (int64_t i = 0; i < n; ++i) out[i] = column.get<T>(at(i));
  };
  const auto real = [&]<class T>(T* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = slots_ == 0 ? T(0) : T(from_ordered_bits(column.get<int64_t>(at(i))));
  };
  switch (type.kind) {
    case Kind::Bool:
      std::memset(data->data(), 0, bytes);
      for (int64_t i = 0; i < n; ++i)
        if (slots_ && column.get<int8_t>(at(i))) set_bit(data->data(), i);
      break;
    case Kind::I8: write(data->as<int8_t>()); break;
    case Kind::I16: write(data->as<int16_t>()); break;
    case Kind::I32: write(data->as<int32_t>()); break;
    case Kind::I64: write(data->as<int64_t>()); break;
    case Kind::I128: case Kind::Interval: write(data->as<int128>()); break;
    case Kind::F32: real(data->as<float>()); break;
    default: real(data->as<double>());
  }
  return make_fixed(type.kind, type.storage, n, std::move(data), std::move(validity), nulls);
}

int64_t RowStore::bytes() const {
  int64_t total = blocks_.bytes() + pins_.bytes();
  for (const Stored& column : columns_) total += int64_t(column.data.capacity() + column.nulls.capacity());
  return total;
}

int64_t RowStore::bytes_per_row() const {
  int64_t total = 0;
  for (const Stored& column : columns_) total += column.width + 1;
  return total;
}

void RowStore::clear() {
  for (Stored& column : columns_) {
    column.data.release();
    column.nulls.release();
  }
  blocks_.clear();
  pins_.clear();
  slots_ = tidied_ = 0;
}

}  // namespace tableflow
