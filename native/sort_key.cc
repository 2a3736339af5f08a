#include "sort_key.h"

#include <algorithm>

namespace tableflow::sorting {

namespace {

int bit_width(uint128 value) {
  const uint64_t high = uint64_t(value >> 64), low = uint64_t(value);
  if (high) return 128 - __builtin_clzll(high);
  return low ? 64 - __builtin_clzll(low) : 0;
}

bool is_text(const Vector& v) {
  return v.kind == Kind::Str || v.kind == Kind::LargeStr || (v.kind == Kind::Dict && v.dictionary->kind != Kind::Null);
}

int64_t common_bytes(std::string_view a, std::string_view b) {
  const size_t n = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return int64_t(i);
}

void add_text(KeyStatistics& s, std::string_view text) {
  if (!s.values) {
    s.values = true;
    s.common = std::string(text);
  } else if (text.substr(0, s.common.size()) != s.common) {
    s.common.resize(size_t(common_bytes(s.common, text)));
  }
  s.longest = std::max(s.longest, int64_t(text.size()));
}

void text_statistics(const Vector& v, KeyStatistics& s) {
  s.text = true;
  s.nulls = v.has_nulls() || (v.kind == Kind::Dict && v.dictionary->has_nulls());
  const bool entries = v.kind == Kind::Dict && v.dictionary->length <= v.length;  // a superset of the values will do
  const Vector& seen = entries ? *v.dictionary : v;
  for (int64_t row = 0; row < seen.length; ++row)
    if (!is_null(seen, row)) add_text(s, text_of(seen, row));
}

// Up to eight bytes from `skip` on as a big-endian number, zeros behind the end.
uint64_t text_word(std::string_view text, int64_t skip, int bytes) {
  if (int64_t(text.size()) <= skip) return 0;
  const size_t n = std::min(text.size() - size_t(skip), size_t(bytes));
  uint64_t word = 0;
  std::memcpy(&word, text.data() + skip, n);
  return __builtin_bswap64(word) >> (64 - 8 * bytes);
}

void put(uint64_t* key, int64_t position, int bits, uint64_t value) {
  if (bits == 0) return;
  const int64_t word = position >> 6;
  const int room = 64 - int(position & 63);
  if (bits <= room) {
    key[word] |= value << (room - bits);
  } else {
    key[word] |= value >> (bits - room);
    key[word + 1] |= value << (64 - (bits - room));
  }
}

constexpr uint64_t ones(int bits) { return bits >= 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1; }

struct Target {
  uint64_t* keys;
  int words;
  int64_t first, n;
  uint64_t* key(int64_t i) const { return keys + i * words; }
};

// Sets the NULL bit of all rows and calls f(key, row) for those that are not NULL.
template <class F> void for_values(const KeyField& field, const Vector& v, const Target& target, F f) {
  const uint64_t null_flag = field.direction.nulls_first ? 0 : 1;
  const bool nulls = field.null_bits > 0;
  for (int64_t i = 0; i < target.n; ++i) {
    uint64_t* key = target.key(i);
    if (nulls) {
      const bool missing = is_null(v, target.first + i);
      put(key, field.position, 1, missing ? null_flag : 1 - null_flag);
      if (missing) continue;
    }
    f(key, target.first + i);
  }
}

void encode_numbers(const KeyField& field, const Vector& v, const Target& target) {
  const int64_t at = field.position + field.null_bits;
  with_numbers(v, [&](auto get) {
    const bool descending = field.direction.descending;
    if (field.bits <= 64) {  // distances fit, so wrapping arithmetic on the low halves is exact
      const uint64_t base = uint64_t(field.base);
      for_values(field, v, target, [&](uint64_t* key, int64_t row) {
        const uint64_t value = uint64_t(get(row));
        put(key, at, field.bits, descending ? base - value : value - base);
      });
    } else {
      for_values(field, v, target, [&](uint64_t* key, int64_t row) {
        const int128 value = get(row);
        const uint128 distance = descending ? uint128(field.base) - uint128(value) : uint128(value) - uint128(field.base);
        put(key, at, field.bits - 64, uint64_t(distance >> 64));
        put(key, at + field.bits - 64, 64, uint64_t(distance));
      });
    }
  });
}

void encode_text(const KeyField& field, const Vector& v, const Target& target) {
  const bool descending = field.direction.descending;
  for_values(field, v, target, [&](uint64_t* key, int64_t row) {
    const auto text = text_of(v, row);
    int64_t at = field.position + field.null_bits;
    for (int done = 0; done < field.text_bytes; done += 8) {
      const int bytes = std::min(8, field.text_bytes - done);
      const uint64_t word = text_word(text, field.skipped + done, bytes);
      put(key, at, 8 * bytes, descending ? ~word & ones(8 * bytes) : word);
      at += 8 * bytes;
    }
    const uint64_t length = uint64_t(int64_t(text.size()) - field.skipped);
    put(key, at, field.length_bits, descending ? ~length & ones(field.length_bits) : length);
  });
}

// Strings that are too long to be exact get a prefix that ends with a word.
void lay_out_text(KeyField& field, const KeyStatistics& s, int64_t position) {
  field.skipped = int64_t(s.common.size());
  const int64_t rest = s.longest - field.skipped;
  const int room = (64 - int((position + field.null_bits) & 63)) / 8;
  field.exact = rest <= 16;
  field.text_bytes = int(field.exact ? rest : room < 4 ? room + 8 : room);
  field.length_bits = field.exact ? bit_width(uint128(rest)) : 0;
  field.bits = 8 * field.text_bytes + field.length_bits;
}

}  // namespace

bool KeyStatistics::covers(const KeyStatistics& other) const {
  if (other.nulls && !nulls) return false;
  if (!other.values) return true;
  if (!values || text != other.text) return false;
  if (!text) return minimum <= other.minimum && other.maximum <= maximum;
  return std::string_view(other.common).substr(0, common.size()) == common && other.longest <= longest;
}

void KeyStatistics::add(const KeyStatistics& other) {
  nulls |= other.nulls;
  if (!other.values) return;
  if (!values) {
    const bool had_nulls = nulls;
    *this = other;
    nulls = had_nulls;
    return;
  }
  if (text != other.text) throw std::invalid_argument("keys of different types are compared");
  minimum = std::min(minimum, other.minimum);
  maximum = std::max(maximum, other.maximum);
  common.resize(size_t(common_bytes(common, other.common)));
  longest = std::max(longest, other.longest);
}

KeyStatistics key_statistics(const Vector& v) {
  KeyStatistics s;
  if (v.kind == Kind::Nested) throw std::invalid_argument("values of a nested type have no order");
  if (is_text(v)) {
    text_statistics(v, s);
    return s;
  }
  s.nulls = v.has_nulls() || (v.kind == Kind::Dict && v.length > 0);
  with_numbers(v, [&](auto get) {
    using Number = decltype(get(0));
    std::optional<Number> low, high;
    for (int64_t row = 0; row < v.length; ++row) {
      if (v.validity && !v.valid(row)) continue;
      const Number value = get(row);
      if (!low) low = high = value;
      if (value < *low) low = value;
      if (value > *high) high = value;
    }
    if (!low) return;
    s.values = true;
    s.minimum = *low;
    s.maximum = *high;
  });
  return s;
}

KeyLayout make_layout(std::span<const KeyStatistics> statistics, std::span<const Direction> directions) {
  KeyLayout layout;
  int first_word = 0;
  for (size_t c = 0; c < statistics.size(); ++c) {
    const KeyStatistics& s = statistics[c];
    KeyField field;
    field.text = s.text;
    field.direction = directions[c];
    field.null_bits = s.nulls && s.values;
    if (s.text) {
      lay_out_text(field, s, layout.bits);
    } else if (s.values) {
      field.base = field.direction.descending ? s.maximum : s.minimum;
      field.bits = bit_width(uint128(s.maximum) - uint128(s.minimum));
    }
    field.position = layout.bits;
    layout.bits += field.null_bits + field.bits;
    layout.fields.push_back(field);
    if (!field.exact) {  // what follows begins a word of its own, compared after the strings
      layout.bits = (layout.bits + 63) / 64 * 64;
      layout.levels.push_back({first_word, int(layout.bits / 64), int(c)});
      first_word = int(layout.bits / 64);
    }
  }
  layout.words = int((layout.bits + 63) / 64);
  if (layout.words > first_word || layout.levels.empty()) layout.levels.push_back({first_word, layout.words, -1});
  return layout;
}

void encode_keys(const KeyLayout& layout, std::span<const VectorPtr> columns, int64_t first, int64_t n, uint64_t* out) {
  std::fill_n(out, n * layout.words, uint64_t(0));
  const Target target{out, layout.words, first, n};
  for (size_t c = 0; c < columns.size(); ++c) {
    const KeyField& field = layout.fields[c];
    if (field.null_bits + field.bits == 0) continue;
    field.text ? encode_text(field, *columns[c], target) : encode_numbers(field, *columns[c], target);
  }
}

}  // namespace tableflow::sorting
