#include "gather.h"

#include "concat_strings.h"
#include "gather_rows.h"

namespace tableflow {

namespace {

using namespace rows;

bool is_integer(Kind k) { return k == Kind::I8 || k == Kind::I16 || k == Kind::I32 || k == Kind::I64 || k == Kind::I128; }

int64_t total_rows(std::span<const Rows> parts) {
  int64_t n = 0;
  for (const Rows& part : parts) n += part.n;
  return n;
}

Work put_validity(std::span<const Rows> parts, int64_t total, BufferPtr& bits) {
  bool any = false;
  for (const Rows& part : parts) any |= part.n > 0 && may_have_nulls(part);
  if (!any) co_return;
  bits = zeroed_bits(total);
  int64_t at = 0;
  for (const Rows& part : parts) {
    const Vector& v = *part.vector;
    if (!may_have_nulls(part)) {
      set_bits(bits->data(), at, part.n);
    } else if (v.kind != Kind::Null && !has_index(part)) {
      copy_bits(bits->data(), at, v.validity, v.offset + part.first, part.n);
    } else if (v.kind != Kind::Null) {
      with_index(part, [&](auto index) {
        put_bits(bits->data(), at, part.n, [index, validity = v.validity, offset = v.offset](int64_t i) {
          const int64_t row = index(i);
          return row >= 0 && (!validity || bit(validity, offset + row));
        });
      });
    }
    at += part.n;
    co_await give_way;
  }
}

template <class To> void put_integers(const Rows& part, Kind from, To* out) {
  switch (from) {
    case Kind::I8: return put_values<To, int8_t>(part, out);
    case Kind::I16: return put_values<To, int16_t>(part, out);
    case Kind::I32: return put_values<To, int32_t>(part, out);
    case Kind::I64: return put_values<To, int64_t>(part, out);
    case Kind::I128: return put_values<To, int128>(part, out);
    case Kind::Null: std::fill_n(out, part.n, To(0)); return;
    default: throw std::invalid_argument("vectors of different types are concatenated");
  }
}

// Values (or codes) of integers, widened to `to`.
Work integers(std::span<const Rows> parts, int64_t total, Kind to, BufferPtr& data) {
  data = std::make_shared<Buffer>(size_t(total) * size_t(width(to)));
  uint8_t* out = data->data();
  for (const Rows& part : parts) {
    const Kind from = part.vector->kind == Kind::Dict ? part.vector->code_kind : part.vector->kind;
    switch (to) {
      case Kind::I8: put_integers(part, from, reinterpret_cast<int8_t*>(out)); break;
      case Kind::I16: put_integers(part, from, reinterpret_cast<int16_t*>(out)); break;
      case Kind::I32: put_integers(part, from, reinterpret_cast<int32_t*>(out)); break;
      case Kind::I64: put_integers(part, from, reinterpret_cast<int64_t*>(out)); break;
      default: put_integers(part, from, reinterpret_cast<int128*>(out)); break;
    }
    out += part.n * width(to);
    co_await give_way;
  }
}

template <class T> Work fixed(std::span<const Rows> parts, int64_t total, Kind kind, BufferPtr& data) {
  data = std::make_shared<Buffer>(size_t(total) * sizeof(T));
  T* out = data->as<T>();
  for (const Rows& part : parts) {
    if (part.vector->kind == kind) {
      put_values<T, T>(part, out);
    } else {
      std::memset(static_cast<void*>(out), 0, size_t(part.n) * sizeof(T));
    }
    out += part.n;
    co_await give_way;
  }
}

Work booleans(std::span<const Rows> parts, int64_t total, BufferPtr& bits) {
  bits = zeroed_bits(total);
  int64_t at = 0;
  for (const Rows& part : parts) {
    const Vector& v = *part.vector;
    if (v.kind == Kind::Bool && !has_index(part)) {
      copy_bits(bits->data(), at, v.data, v.offset + part.first, part.n);
    } else if (v.kind == Kind::Bool) {
      with_index(part, [&](auto index) {
        put_bits(bits->data(), at, part.n, [&](int64_t i) {
          const int64_t row = index(i);
          return row >= 0 && bit(v.data, v.offset + row);
        });
      });
    }
    at += part.n;
    co_await give_way;
  }
}

VectorPtr nulls(int64_t total) {
  auto v = std::make_shared<Vector>();
  v->format = std::string(1, 'n');
  v->length = v->null_count = total;
  return v;
}

// What the parts have in common: their kind (the widest, of integers) and a part with the format to give to the result.
struct Common {
  Kind kind = Kind::Null;
  Kind codes = Kind::I8;
  const Vector* model = nullptr;
  bool dictionaries = false;       // some part has one
  bool one_dictionary = true;      // all parts have the same one
};

Common common(std::span<const Rows> parts) {
  Common c;
  const Vector* dictionary = nullptr;
  for (const Rows& part : parts) {
    const Vector& v = *part.vector;
    if (v.kind == Kind::Nested) throw std::invalid_argument("nested vectors are not gathered natively");
    if (v.kind == Kind::Null) continue;
    Kind kind = v.kind;
    if (kind == Kind::Dict) {
      kind = v.dictionary->kind;
      c.dictionaries = true;
      if (dictionary && !same_dictionary(*dictionary, *v.dictionary)) c.one_dictionary = false;
      dictionary = v.dictionary.get();
      if (width(v.code_kind) > width(c.codes)) c.codes = v.code_kind;
    } else {
      c.one_dictionary = false;
    }
    if (kind == Kind::LargeStr) kind = Kind::Str;
    if (!c.model || (is_integer(kind) && is_integer(c.kind) && width(kind) > width(c.kind))) {
      c.model = &v;
      c.kind = kind;
    } else if (kind != c.kind && !(is_integer(kind) && is_integer(c.kind))) {
      throw std::invalid_argument("vectors of different types are concatenated");
    }
  }
  return c;
}

}  // namespace

bool same_dictionary(const Vector& a, const Vector& b) {
  return &a == &b || (a.kind == b.kind && a.length == b.length && a.offset == b.offset && a.data == b.data && a.offsets == b.offsets);
}

Work concat(std::vector<Rows> parts, VectorPtr& out) {
  const int64_t total = total_rows(parts);
  const Common c = common(parts);
  if (!c.model) {
    out = nulls(total);
    co_return;
  }
  BufferPtr data, validity;
  co_await put_validity(parts, total, validity);
  if (c.dictionaries && c.one_dictionary) {
    co_await integers(parts, total, c.codes, data);
    auto v = make_fixed(c.codes, c.model->format, total, std::move(data), std::move(validity));
    v->kind = Kind::Dict;
    v->code_kind = c.codes;
    v->format = std::string(1, c.codes == Kind::I8 ? 'c' : c.codes == Kind::I16 ? 's' : c.codes == Kind::I32 ? 'i' : 'l');
    v->dictionary = c.model->dictionary;
    v->nbytes += v->dictionary->nbytes;
    out = std::move(v);
    co_return;
  }
  if (c.dictionaries && c.kind != Kind::Str) throw std::invalid_argument("only strings have dictionaries that differ");
  switch (c.kind) {
    case Kind::Str: co_await concat_strings(parts, total, std::move(validity), out); co_return;
    case Kind::Bool: co_await booleans(parts, total, data); break;
    case Kind::F32: co_await fixed<float>(parts, total, c.kind, data); break;
    case Kind::F64: co_await fixed<double>(parts, total, c.kind, data); break;
    case Kind::Interval: co_await fixed<int128>(parts, total, c.kind, data); break;
    default: co_await integers(parts, total, c.kind, data); break;
  }
  out = make_fixed(c.kind, c.model->format, total, std::move(data), std::move(validity));
}

VectorPtr concat(std::span<const Rows> parts) {
  VectorPtr out;
  concat(std::vector<Rows>(parts.begin(), parts.end()), out).finish();
  return out;
}

}  // namespace tableflow
