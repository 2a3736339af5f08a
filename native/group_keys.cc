#include "group_keys.h"

#include <algorithm>
#include <numeric>

#include "hash.h"
#include "interval.h"

namespace tableflow {

namespace {

constexpr int texts_ahead = 12;  // in a large pool: rows between asking for a slot, for the text, and looking at it

int decimal_precision(const std::string& format) { return std::stoi(format.substr(2)); }

template <class T> bool read_nulls(const Input& input, const Piece& piece, T* nulls) {
  const Vector& v = *input.vector;
  if (!v.validity) return false;
  uint8_t any = 0;
  with_positions(piece, input, [&](auto at) {
    for (int i = 0; i < piece.n; ++i) any |= nulls[i] = !bit(v.validity, v.offset + at(i));
  });
  return any;
}

template <class T, class Get> void read(const Input& input, const Piece& piece, int64_t* out, Get get) {
  const T* values = input.vector->values<T>();
  with_positions(piece, input, [&](auto at) {
    for (int i = 0; i < piece.n; ++i) out[i] = get(values[at(i)]);
  });
}

}  // namespace

KeyColumn::KeyColumn(std::string arrow_format) : format(std::move(arrow_format)), storage(format) {
  key_class = KeyClass::Integer;
  switch (format.empty() ? '?' : format[0]) {
    case 'n': kind = Kind::Null; bits = 0; return;
    case 'b': kind = Kind::Bool; bits = 1; return;
    case 'c': kind = Kind::I8; bits = 8; return;
    case 's': kind = Kind::I16; bits = 16; return;
    case 'i': kind = Kind::I32; bits = 32; return;
    case 'l': kind = Kind::I64; bits = 64; return;
    case 'f': kind = Kind::F32; bits = 64; key_class = KeyClass::Real; return;
    case 'g': kind = Kind::F64; bits = 64; key_class = KeyClass::Real; return;
    case 'u': case 'z': kind = Kind::Str; bits = StringPool::bits; key_class = KeyClass::Text; return;
    case 'd':
      if (decimal_precision(format) <= 18) {
        kind = Kind::I64;
        bits = 64;
        storage.assign(1, 'l');
      } else {
        kind = Kind::I128;
        bits = 128;
        key_class = KeyClass::Wide;
      }
      return;
    case 't':
      if (format == "tin") {
        kind = Kind::Interval;
        bits = 128;
        key_class = KeyClass::Wide;
      } else {
        kind = format == "tdD" ? Kind::I32 : Kind::I64;
        bits = width(kind) * 8;
      }
      return;
    default: throw std::invalid_argument("columns of this type cannot be keys");
  }
}

bool same_entries(const Vector& a, const Vector& b) {
  return &a == &b || (a.kind == b.kind && a.length == b.length && a.offset == b.offset && a.data == b.data &&
                      a.offsets == b.offsets && a.validity == b.validity);
}

KeyWords::KeyWords(const std::vector<std::string>& formats) {
  for (const auto& format : formats) columns_.emplace_back(format);
  pools_.resize(columns_.size());
  maps_.resize(columns_.size());
  values_.resize(size_t(piece_rows) * 2);
  nulls_.resize(size_t(piece_rows));
  hashes_.resize(size_t(piece_rows));
  // First fit, widest first, then the NULL bits into what is left.
  std::vector<size_t> order(columns_.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return columns_[a].bits > columns_[b].bits; });
  std::vector<int> used;
  const auto place = [&](int bits, int& word, int& shift) {
    for (size_t w = 0; w < used.size() && bits <= 64; ++w) {
      if (used[w] + bits > 64) continue;
      word = int(w);
      shift = used[w];
      used[w] += bits;
      return;
    }
    word = int(used.size());
    shift = 0;
    for (int left = bits; left > 0 || int(used.size()) == word; left -= 64) used.push_back(std::min(left, 64));
  };
  for (size_t c : order) place(columns_[c].bits, columns_[c].word, columns_[c].shift);
  if (columns_.size() > 1 || (columns_.size() == 1 && columns_[0].bits > 64))
    for (auto& column : columns_)
      if (column.key_class != KeyClass::Text) place(1, column.null_word, column.null_shift);
  words_ = int(used.size());
}

bool load_fixed(const KeyColumn& column, const Input& input, const Piece& piece, int64_t* values, uint8_t* nulls) {
  const Vector& v = *input.vector;
  if (v.kind == Kind::Null) {
    std::fill_n(values, piece.n * (column.key_class == KeyClass::Wide ? 2 : 1), 0);
    std::fill_n(nulls, piece.n, uint8_t(1));
    return piece.n > 0;
  }
  const auto integer = [](auto value) { return int64_t(value); };
  const auto fits = [&](Kind widest) {
    if (width(v.kind) > width(widest)) throw std::invalid_argument("a key is stored wider than its type");
  };
  if (column.key_class == KeyClass::Wide) {
    with_positions(piece, input, [&](auto at) {
      for (int i = 0; i < piece.n; ++i) {
        int128 value = 0;
        const int64_t row = at(i);
        switch (v.kind) {
          case Kind::I8: value = v.values<int8_t>()[row]; break;
          case Kind::I16: value = v.values<int16_t>()[row]; break;
          case Kind::I32: value = v.values<int32_t>()[row]; break;
          case Kind::I64: value = v.values<int64_t>()[row]; break;
          case Kind::Interval: value = interval_length(v.values<int128>() + row); break;
          case Kind::I128: value = value_at(v.values<int128>(), row); break;
          default: throw std::invalid_argument("a wide key is not stored as an integer");
        }
        std::memcpy(values + 2 * i, &value, 16);
      }
    });
    return read_nulls(input, piece, nulls);
  }
  switch (v.kind) {
    case Kind::Bool:
      with_positions(piece, input, [&](auto at) {
        for (int i = 0; i < piece.n; ++i) values[i] = bit(v.data, v.offset + at(i));
      });
      break;
    case Kind::I8: read<int8_t>(input, piece, values, integer); break;
    case Kind::I16: fits(column.kind); read<int16_t>(input, piece, values, integer); break;
    case Kind::I32: fits(column.kind); read<int32_t>(input, piece, values, integer); break;
    case Kind::I64: fits(column.kind); read<int64_t>(input, piece, values, integer); break;
    case Kind::I128: {
      if (column.format[0] != 'd') throw std::invalid_argument("a key is stored wider than its type");
      bool narrow = true;
      with_positions(piece, input, [&](auto at) {
        for (int i = 0; i < piece.n; ++i) {
          const int128 value = value_at(v.values<int128>(), at(i));
          values[i] = int64_t(value);
          narrow &= values[i] == value || !v.valid(at(i));
        }
      });
      if (!narrow) throw std::invalid_argument("a decimal key has more digits than its type");
      break;
    }
    case Kind::F32: read<float>(input, piece, values, [](float value) { return ordered_bits(double(value)); }); break;
    case Kind::F64: read<double>(input, piece, values, [](double value) { return ordered_bits(value); }); break;
    default: throw std::invalid_argument("a key is stored in a way its type does not have");
  }
  return read_nulls(input, piece, nulls);
}

bool KeyWords::load(int c, const Input& input, const Piece& piece, int64_t* values, uint8_t* nulls) {
  const Vector& v = *input.vector;
  if (columns_[size_t(c)].key_class != KeyClass::Text || v.kind == Kind::Null)
    return load_fixed(columns_[size_t(c)], input, piece, values, nulls);
  if (v.kind != Kind::Dict && v.kind != Kind::Str && v.kind != Kind::LargeStr)
    throw std::invalid_argument("a text key is not stored as text");
  v.kind == Kind::Dict ? load_codes(c, input, piece, values) : load_text(c, input, piece, values);
  uint8_t any = 0;  // both store -1 for NULL
  for (int i = 0; i < piece.n; ++i) any |= nulls[i] = values[i] < 0;
  return any;
}

void KeyWords::load_text(int c, const Input& input, const Piece& piece, int64_t* values) {
  const Vector& v = *input.vector;
  StringPool& pool = pools_[size_t(c)];
  pool.reserve(piece.n);
  const int ahead = pool.is_large() ? texts_ahead : 0;
  uint64_t* const hashes = hashes_.data();
  with_positions(piece, input, [&](auto at) {
    for (int i = 0; i < piece.n + 2 * ahead; ++i) {
      if (i < piece.n) {
        hashes[i] = hash_value(v.str(at(i)));
        if (ahead) pool.prefetch(hashes[i]);
      }
      const int next = i - ahead, now = next - ahead;
      if (ahead && next >= 0 && next < piece.n) pool.prefetch_text(hashes[next], v.str(at(next)).size());
      if (now < 0) continue;
      const int64_t row = at(now);
      values[now] = v.valid(row) ? int64_t(pool.intern(v.str(row), hashes[now])) : -1;
    }
  });
}

void KeyWords::load_codes(int c, const Input& input, const Piece& piece, int64_t* values) {
  const Vector& v = *input.vector;
  DictionaryMap& map = maps_[size_t(c)];
  constexpr uint32_t unknown = UINT32_MAX, null = UINT32_MAX - 1;
  if (!map.dictionary || !same_entries(*map.dictionary, *v.dictionary)) {
    map.dictionary = v.dictionary;
    map.ids.assign(size_t(v.dictionary->length), unknown);
  }
  StringPool& pool = pools_[size_t(c)];
  const Vector& entries = *v.dictionary;
  with_positions(piece, input, [&](auto at) {
    for (int i = 0; i < piece.n; ++i) {
      const int64_t row = at(i);
      if (!v.valid(row)) {
        values[i] = -1;
        continue;
      }
      const auto code = size_t(v.code(row));
      if (code >= map.ids.size()) throw std::out_of_range("a dictionary code lies behind the last entry");
      uint32_t& id = map.ids[code];
      if (id == unknown) {
        const std::string_view text = entries.valid(int64_t(code)) ? entries.str(int64_t(code)) : std::string_view();
        id = entries.valid(int64_t(code)) ? pool.intern(text, hash_value(text)) : null;
      }
      values[i] = id == null ? -1 : int64_t(id);
    }
  });
}

void KeyWords::pack(std::span<const Input> inputs, const Piece& piece, uint64_t* words) {
  const int stride = words_;
  std::fill_n(words, size_t(piece.n) * size_t(stride), uint64_t(0));
  int64_t* values = values_.data();
  for (int c = 0; c < columns(); ++c) {
    const KeyColumn& column = columns_[size_t(c)];
    const bool any_null = load(c, inputs[size_t(c)], piece, values, nulls_.data());
    if (any_null && column.key_class == KeyClass::Text) {
      const int64_t null = pools_[size_t(c)].intern_null();
      for (int i = 0; i < piece.n; ++i)
        if (nulls_[size_t(i)]) values[i] = null;
    } else if (any_null) {
      uint64_t* null_bits = words + column.null_word;
      for (int i = 0; i < piece.n; ++i) {
        null_bits[i * stride] |= uint64_t(nulls_[size_t(i)]) << column.null_shift;
        if (!nulls_[size_t(i)]) continue;
        if (column.bits > 64) values[2 * i] = values[2 * i + 1] = 0;
        else values[i] = 0;
      }
    }
    uint64_t* out = words + column.word;
    if (column.bits > 64) {
      for (int i = 0; i < piece.n; ++i) {
        out[i * stride] = uint64_t(values[2 * i]);
        out[i * stride + 1] = uint64_t(values[2 * i + 1]);
      }
    } else if (column.bits == 64) {
      for (int i = 0; i < piece.n; ++i) out[i * stride] = uint64_t(values[i]);
    } else if (column.bits > 0) {
      const uint64_t mask = (uint64_t(1) << column.bits) - 1;
      for (int i = 0; i < piece.n; ++i) out[i * stride] |= (uint64_t(values[i]) & mask) << column.shift;
    }
  }
}

int64_t KeyWords::bytes() const {
  int64_t total = 0;
  for (const auto& pool : pools_) total += pool.bytes();
  for (const auto& map : maps_) total += int64_t(map.ids.capacity() * 4);
  return total;
}

}  // namespace tableflow
