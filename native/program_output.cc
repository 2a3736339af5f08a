// Results: registers written densely as Arrow columns, and input columns gathered by the rows that were kept.
#include "program.h"

namespace tableflow::program {

Kind storage_kind(const std::string& format, Reg from) {
  Kind to = Kind::Nested;
  bool fits = false;
  const bool integer = from == Reg::I32 || from == Reg::I64;
  const char c = format.empty() ? '\0' : format[0];
  switch (c) {
    case 'b': to = Kind::Bool; fits = from == Reg::Bool; break;
    case 'c': to = Kind::I8; fits = integer; break;
    case 's': to = Kind::I16; fits = integer; break;
    case 'i': to = Kind::I32; fits = integer; break;
    case 'l': to = Kind::I64; fits = integer; break;
    case 'd': to = Kind::I128; fits = integer || from == Reg::I128; break;
    case 'f': to = Kind::F32; fits = from == Reg::F64; break;
    case 'g': to = Kind::F64; fits = from == Reg::F64; break;
    case 'u': case 'z': to = Kind::Str; fits = from == Reg::Str; break;
    case 't':
      to = format == "tdD" || format == "tts" || format == "ttm" ? Kind::I32 : Kind::I64;
      fits = to == Kind::I32 ? from == Reg::I32 : from == Reg::I64;
      break;
    default: break;
  }
  if (!fits) throw std::invalid_argument("a register cannot be stored as Arrow format '" + format + "'");
  return to;
}

Writer::Writer(const Output& output, Reg from, int64_t capacity, bool wide)
    : format_(output.format), kind_(storage_kind(output.format, from)), wide_(wide), capacity_(capacity) {
  const auto n = size_t(capacity);
  if (kind_ == Kind::Str) {
    offsets_ = std::make_shared<Buffer>((n + 1) * 8);
    offsets_->as<int64_t>()[0] = 0;
    bytes_ = std::make_shared<std::string>();
  } else if (kind_ == Kind::Bool) {
    data_ = std::make_shared<Buffer>(n / 8 + 1);
  } else {
    data_ = std::make_shared<Buffer>(n * size_t(width(kind_)));
  }
}

namespace {

// Bits from bytes that are 0 or 1, `flip`ped, from bit `at` of a map whose later bits are free.
void pack(uint8_t* bits, int64_t at, const uint8_t* bytes, int count, uint8_t flip) {
  int i = 0;
  for (; i < count && (at + i) % 8; ++i) {
    const int64_t p = at + i;
    bits[p / 8] = uint8_t((bits[p / 8] & ~(1u << p % 8)) | unsigned(bytes[i] ^ flip) << p % 8);
  }
  for (; i + 8 <= count; i += 8) {
    unsigned byte = 0;
    for (int k = 0; k < 8; ++k) byte |= unsigned(bytes[i + k] ^ flip) << k;
    bits[(at + i) / 8] = uint8_t(byte);
  }
  if (i < count) {
    unsigned byte = 0;
    for (int k = 0; i + k < count; ++k) byte |= unsigned(bytes[i + k] ^ flip) << k;
    bits[(at + i) / 8] = uint8_t(byte);
  }
}

}  // namespace

// Decides where the chunk's lanes go and returns how many places they take.
int Writer::place(const Frame& f, Span rows) {
  if (!wide_) {
    layout_ = f.all_active ? Lanes : Active;
    return f.live();
  }
  layout_ = f.rows ? Scatter : Lanes;
  return int(rows.end - rows.first);
}

template <class S, class D> void Writer::store(const Frame& f, const S* values, D* out) {
  switch (layout_) {
    case Lanes:
      for (int i = 0; i < f.n; ++i) out[i] = D(values[i]);
      break;
    case Active:
      for (int j = 0; j < f.active_count; ++j) out[j] = D(values[f.active[j]]);
      break;
    case Scatter:
      for (int i = 0; i < f.n; ++i) out[f.rows[i] - length_] = D(values[i]);
  }
}

template <class D> void Writer::store_integer(const Frame& f, const Register& r, D* out) {
  switch (r.kind) {
    case Reg::I32: return store(f, r.as<int32_t>(), out);
    case Reg::I64: return store(f, r.as<int64_t>(), out);
    default: return store(f, r.as<int128>(), out);
  }
}

// The bytes of the places, side by side.
const uint8_t* Writer::dense(const Frame& f, const uint8_t* bytes, uint8_t* buffer, int count) {
  if (layout_ == Lanes) return bytes;
  if (layout_ == Scatter) std::memset(buffer, 0, size_t(count));
  store(f, bytes, buffer);
  return buffer;
}

void Writer::append_nulls(const Frame& f, const Register& r, int count) {
  if (!r.has_nulls && !validity_) return;
  if (!validity_) {
    validity_ = std::make_shared<Buffer>(size_t(capacity_) / 8 + 1);
    std::memset(validity_->data(), 0xFF, validity_->size());
  }
  if (!r.has_nulls) return;  // the bits are set from the start
  std::vector<uint8_t> buffer(layout_ == Lanes ? 0 : size_t(count));
  pack(validity_->data(), length_, dense(f, r.nulls, buffer.data(), count), count, 1);
}

void Writer::append_strings(const Frame& f, const Register& r, Span rows) {
  const View* values = r.as<View>();
  int64_t* offsets = offsets_->as<int64_t>() + length_;
  const int count = f.live();
  int64_t at = 0;
  for (int j = 0; j < count; ++j) {
    const int i = f.all_active ? j : f.active[j];
    if (wide_)
      for (const int64_t row = f.row(i) - rows.first; at < row;) offsets[++at] = int64_t(bytes_->size());
    if (!(r.has_nulls && r.nulls[i])) bytes_->append(values[i].data, size_t(values[i].size));
    offsets[++at] = int64_t(bytes_->size());
  }
  if (wide_)
    while (at < rows.end - rows.first) offsets[++at] = int64_t(bytes_->size());
}

void Writer::append(const Frame& f, const Register& r, Span rows) {
  const int count = place(f, rows);
  append_nulls(f, r, count);
  if (layout_ == Scatter && kind_ != Kind::Str && kind_ != Kind::Bool)
    std::memset(data_->data() + length_ * width(kind_), 0, size_t(count) * size_t(width(kind_)));
  switch (kind_) {
    case Kind::Bool: {
      std::vector<uint8_t> buffer(layout_ == Lanes ? 0 : size_t(count));
      pack(data_->data(), length_, dense(f, r.as<uint8_t>(), buffer.data(), count), count, 0);
      break;
    }
    case Kind::I8: store_integer(f, r, data_->as<int8_t>() + length_); break;
    case Kind::I16: store_integer(f, r, data_->as<int16_t>() + length_); break;
    case Kind::I32: store_integer(f, r, data_->as<int32_t>() + length_); break;
    case Kind::I64: store_integer(f, r, data_->as<int64_t>() + length_); break;
    case Kind::I128: store_integer(f, r, data_->as<int128>() + length_); break;
    case Kind::F32: store(f, r.as<double>(), data_->as<float>() + length_); break;
    case Kind::F64: store(f, r.as<double>(), data_->as<double>() + length_); break;
    default: append_strings(f, r, rows);
  }
  length_ += count;
}

void Writer::skip(Span rows) {
  const auto count = size_t(rows.end - rows.first);
  if (kind_ == Kind::Str) std::fill_n(offsets_->as<int64_t>() + length_ + 1, count, int64_t(bytes_->size()));
  else if (kind_ == Kind::Bool) pack(data_->data(), length_, std::vector<uint8_t>(count).data(), int(count), 0);
  else std::memset(data_->data() + length_ * width(kind_), 0, count * size_t(width(kind_)));
  length_ += int64_t(count);
}

VectorPtr Writer::finish() {
  if (kind_ != Kind::Str) return make_fixed(kind_, format_, length_, data_, validity_);
  const bool large = bytes_->size() > INT32_MAX;
  if (large) {
    format_[0] = format_[0] == 'z' ? 'Z' : 'U';
  } else {
    const int64_t* wide = offsets_->as<int64_t>();
    auto* narrow = offsets_->as<int32_t>();
    for (int64_t i = 0; i <= length_; ++i) narrow[i] = int32_t(wide[i]);
  }
  auto v = make_fixed(large ? Kind::LargeStr : Kind::Str, format_, length_, offsets_, validity_);
  v->offsets = offsets_->data();
  bytes_->reserve(bytes_->size() + 64);
  v->data = reinterpret_cast<const uint8_t*>(bytes_->data());
  v->nbytes += int64_t(bytes_->size());
  v->owners.push_back(bytes_);
  return v;
}

}  // namespace tableflow::program
