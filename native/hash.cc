#include "hash.h"
#include "interval.h"

namespace tableflow {

namespace {

// Values under NULL are hashed too where that is safe: choosing costs less than branching.
template <bool Selected, bool Combine, class Get>
void fill(const Vector& v, const uint32_t* selection, int64_t n, uint64_t* out, Get get) {
  const auto put = [&](int64_t i, uint64_t hash) { out[i] = Combine ? hash_combine(out[i], hash) : hash; };
  if (!v.validity) {
    for (int64_t i = 0; i < n; ++i) put(i, get(Selected ? selection[i] : i));
    return;
  }
  const uint8_t* validity = v.validity;
  const int64_t offset = v.offset;
  if (v.kind == Kind::Dict) {  // a code under NULL may be anything
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = Selected ? selection[i] : i;
      put(i, bit(validity, offset + row) ? get(row) : null_hash);
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = Selected ? selection[i] : i;
    const uint64_t null_mask = uint64_t(bit(validity, offset + row)) - 1;
    const uint64_t hash = get(row);
    put(i, hash ^ ((hash ^ null_hash) & null_mask));
  }
}

template <class Get>
void hash_rows(const Vector& v, const uint32_t* selection, int64_t n, uint64_t* out, bool combine, Get get) {
  if (selection) {
    combine ? fill<true, true>(v, selection, n, out, get) : fill<true, false>(v, selection, n, out, get);
  } else {
    combine ? fill<false, true>(v, selection, n, out, get) : fill<false, false>(v, selection, n, out, get);
  }
}

template <class T, class As>
void hash_fixed(const Vector& v, const uint32_t* selection, int64_t n, uint64_t* out, bool combine) {
  const T* values = v.values<T>();
  hash_rows(v, selection, n, out, combine, [values](int64_t row) {
    if constexpr (sizeof(T) == 16) {  // Arrow guarantees 8-byte alignment only
      As value;
      std::memcpy(&value, values + row, sizeof(T));
      return hash_value(value);
    } else {
      return hash_value(As(values[row]));
    }
  });
}

template <class Code>
void hash_codes(const Vector& v, const uint32_t* selection, int64_t n, uint64_t* out, bool combine) {
  const Vector& entries = *v.dictionary;
  const Code* codes = v.values<Code>();
  if (entries.length <= n) {
    std::vector<uint64_t> hashes(size_t(entries.length));
    hash_vector(entries, nullptr, entries.length, hashes.data(), false);
    const uint64_t* by_code = hashes.data();
    hash_rows(v, selection, n, out, combine, [=](int64_t row) { return by_code[codes[row]]; });
    return;
  }
  hash_rows(v, selection, n, out, combine, [&](int64_t row) {
    uint64_t hash;
    const uint32_t code = uint32_t(codes[row]);
    hash_vector(entries, &code, 1, &hash, false);
    return hash;
  });
}

}  // namespace

void hash_vector(const Vector& v, const uint32_t* selection, int64_t n, uint64_t* out, bool combine) {
  switch (v.kind) {
    case Kind::Null:
      for (int64_t i = 0; i < n; ++i) out[i] = combine ? hash_combine(out[i], null_hash) : null_hash;
      return;
    case Kind::Bool:
      return hash_rows(v, selection, n, out, combine, [&v](int64_t row) { return hash_value(int64_t(bit(v.data, v.offset + row))); });
    case Kind::I8: return hash_fixed<int8_t, int64_t>(v, selection, n, out, combine);
    case Kind::I16: return hash_fixed<int16_t, int64_t>(v, selection, n, out, combine);
    case Kind::I32: return hash_fixed<int32_t, int64_t>(v, selection, n, out, combine);
    case Kind::I64: return hash_fixed<int64_t, int64_t>(v, selection, n, out, combine);
    case Kind::I128: return hash_fixed<int128, int128>(v, selection, n, out, combine);
    case Kind::F32: return hash_fixed<float, double>(v, selection, n, out, combine);
    case Kind::F64: return hash_fixed<double, double>(v, selection, n, out, combine);
    case Kind::Interval: {
      const uint8_t* values = v.data + 16 * v.offset;
      return hash_rows(v, selection, n, out, combine, [values](int64_t row) { return hash_value(interval_length(values + 16 * row)); });
    }
    case Kind::Str: case Kind::LargeStr:
      return hash_rows(v, selection, n, out, combine, [&v](int64_t row) { return hash_value(v.str(row)); });
    case Kind::Dict:
      switch (v.code_kind) {
        case Kind::I8: return hash_codes<int8_t>(v, selection, n, out, combine);
        case Kind::I16: return hash_codes<int16_t>(v, selection, n, out, combine);
        case Kind::I32: return hash_codes<int32_t>(v, selection, n, out, combine);
        default: return hash_codes<int64_t>(v, selection, n, out, combine);
      }
    case Kind::Nested: break;
  }
  throw std::invalid_argument("values of a nested type have no native hash");
}

}  // namespace tableflow
