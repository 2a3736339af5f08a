// Loads: a column in whatever representation the batch has, into a register of the kind the program chose; and constants.
#include "program.h"

namespace tableflow::program {
namespace {

void load_nulls(const Frame& f, const Vector& v, Register& r) {
  r.has_errors = false;
  r.has_nulls = v.has_nulls();
  if (!r.has_nulls) return;
  if (!v.validity) {  // a vector of kind Null
    std::memset(r.nulls, 1, size_t(f.n));
    return;
  }
  const uint8_t* bits = v.validity;
  if (f.rows) {
    for (int i = 0; i < f.n; ++i) r.nulls[i] = !bit(bits, v.offset + f.rows[i]);
  } else {
    const int64_t start = v.offset + f.base;
    for (int i = 0; i < f.n; ++i) r.nulls[i] = !bit(bits, start + i);
  }
}

template <class S> S read(const S* at) {  // Arrow promises 8-byte alignment only, less than an int128 wants
  S value;
  std::memcpy(&value, static_cast<const void*>(at), sizeof(S));
  return value;
}

template <class S, class D> void load_as(const Frame& f, const Vector& v, Register& r) {
  const S* source = v.values<S>();
  D* out = r.as<D>();
  if (f.rows) {
    for (int i = 0; i < f.n; ++i) out[i] = D(read(source + f.rows[i]));
  } else if constexpr (std::is_same_v<S, D> && alignof(S) <= 8) {
    r.data = const_cast<S*>(source + f.base);
  } else {
    source += f.base;
    for (int i = 0; i < f.n; ++i) out[i] = D(read(source + i));
  }
}

[[noreturn]] void mismatch(const Vector& v) {
  throw std::invalid_argument("a column of Arrow format '" + v.format + "' does not fit the program");
}

template <class D> void load_number(Frame& f, const Instruction& in) {
  const Vector& v = *f.columns[size_t(in.immediates[0].integer)];
  Register& r = f.reg(in.out);
  r.data = r.own;
  load_nulls(f, v, r);
  switch (v.kind) {
    case Kind::I8: return load_as<int8_t, D>(f, v, r);
    case Kind::I16: return load_as<int16_t, D>(f, v, r);
    case Kind::I32: return load_as<int32_t, D>(f, v, r);
    case Kind::I64: return load_as<int64_t, D>(f, v, r);
    case Kind::I128: return load_as<int128, D>(f, v, r);
    case Kind::Null: std::memset(r.data, 0, sizeof(D) * size_t(f.n)); return;
    default: mismatch(v);
  }
}

void load_real(Frame& f, const Instruction& in) {
  const Vector& v = *f.columns[size_t(in.immediates[0].integer)];
  Register& r = f.reg(in.out);
  r.data = r.own;
  load_nulls(f, v, r);
  if (v.kind == Kind::F64) load_as<double, double>(f, v, r);
  else if (v.kind == Kind::F32) load_as<float, double>(f, v, r);
  else if (v.kind == Kind::Null) std::memset(r.data, 0, 8 * size_t(f.n));
  else mismatch(v);
}

void load_boolean(Frame& f, const Instruction& in) {
  const Vector& v = *f.columns[size_t(in.immediates[0].integer)];
  Register& r = f.reg(in.out);
  r.data = r.own;
  load_nulls(f, v, r);
  uint8_t* out = r.as<uint8_t>();
  if (v.kind == Kind::Null) {
    std::memset(out, 0, size_t(f.n));
    return;
  }
  if (v.kind != Kind::Bool) mismatch(v);
  for (int i = 0; i < f.n; ++i) out[i] = bit(v.data, v.offset + f.row(i));
}

template <class O> void load_views(const Frame& f, const Vector& v, View* out) {
  const O* offsets = reinterpret_cast<const O*>(v.offsets) + v.offset;
  const char* bytes = reinterpret_cast<const char*>(v.data);
  for (int i = 0; i < f.n; ++i) {
    const int64_t row = f.row(i);
    out[i] = View{bytes + offsets[row], int64_t(offsets[row + 1] - offsets[row])};
  }
}

// NULL lanes of a dictionary column may have any code, foreign ones too.
void load_coded(const Frame& f, const Vector& v, Register& r) {
  View* out = r.as<View>();
  const Vector& entries = *v.dictionary;
  if (entries.kind != Kind::Str && entries.kind != Kind::LargeStr) mismatch(entries);
  if (entries.has_nulls() && !r.has_nulls) {
    r.has_nulls = true;
    std::memset(r.nulls, 0, size_t(f.n));
  }
  for (int i = 0; i < f.n; ++i) {
    out[i] = View{"", 0};
    if (r.has_nulls && r.nulls[i]) continue;
    const int64_t code = v.code(f.row(i));
    if (uint64_t(code) >= uint64_t(entries.length)) throw std::invalid_argument("dictionary code out of range");
    if (!entries.valid(code)) {
      r.nulls[i] = 1;
      continue;
    }
    const auto s = entries.str(code);
    out[i] = View{s.data(), int64_t(s.size())};
  }
}

void load_string(Frame& f, const Instruction& in) {
  const Vector& v = *f.columns[size_t(in.immediates[0].integer)];
  Register& r = f.reg(in.out);
  r.data = r.own;
  load_nulls(f, v, r);
  switch (v.kind) {
    case Kind::Str: return load_views<int32_t>(f, v, r.as<View>());
    case Kind::LargeStr: return load_views<int64_t>(f, v, r.as<View>());
    case Kind::Dict: return load_coded(f, v, r);
    case Kind::Null:
      for (int i = 0; i < f.n; ++i) r.as<View>()[i] = View{"", 0};
      return;
    default: mismatch(v);
  }
}

template <class T> T value_of(const Instruction& in) {
  const Immediate& m = in.immediates[0];
  if constexpr (std::is_same_v<T, View>) return View{m.text.data(), int64_t(m.text.size())};
  else if constexpr (std::is_same_v<T, double>) return m.kind == Immediate::Real ? m.real : double(m.integer);
  else return T(m.integer);
}

template <class T> void constant(Frame& f, const Instruction& in) {
  Register& r = f.reg(in.out);
  r.constant = true;
  r.data = r.own;
  std::fill_n(r.as<T>(), LANES, value_of<T>(in));
  r.has_nulls = in.immediates[0].kind == Immediate::Null;
  if (r.has_nulls) std::memset(r.nulls, 1, LANES);
}

void nothing(Frame&, const Instruction&) {}  // constants are filled when the program is loaded

void prepare_column(Instruction& in) {
  if (in.immediates.size() != 1 || in.immediates[0].kind != Immediate::Integer) throw std::invalid_argument("a load names a column");
}

template <class T> void prepare_constant(Instruction& in) {
  if (in.immediates.size() != 1) throw std::invalid_argument("a constant has one value");
  const auto kind = in.immediates[0].kind;
  const bool text = std::is_same_v<T, View>;
  if (kind != Immediate::Null && (kind == Immediate::Text) != text) throw std::invalid_argument("constant of another kind");
  if (kind == Immediate::Real && !std::is_same_v<T, double>) throw std::invalid_argument("constant of another kind");
  if constexpr (std::is_integral_v<T>)
    if (int128(T(in.immediates[0].integer)) != in.immediates[0].integer) throw std::invalid_argument("constant out of range");
}

}  // namespace

void fill_constant(Frame& f, const Instruction& in) {
  switch (f.reg(in.out).kind) {
    case Reg::Bool: return constant<uint8_t>(f, in);
    case Reg::I32: return constant<int32_t>(f, in);
    case Reg::I64: return constant<int64_t>(f, in);
    case Reg::I128: return constant<int128>(f, in);
    case Reg::F64: return constant<double>(f, in);
    case Reg::Str: return constant<View>(f, in);
  }
}

void add_load_ops(OpTable& t) {
  t["load.bool"] = {load_boolean, Reg::Bool, {}, false, prepare_column};
  t["load.i32"] = {load_number<int32_t>, Reg::I32, {}, false, prepare_column};
  t["load.i64"] = {load_number<int64_t>, Reg::I64, {}, false, prepare_column};
  t["load.i128"] = {load_number<int128>, Reg::I128, {}, false, prepare_column};
  t["load.f64"] = {load_real, Reg::F64, {}, false, prepare_column};
  t["load.str"] = {load_string, Reg::Str, {}, false, prepare_column};
  t["const.bool"] = {nothing, Reg::Bool, {}, false, prepare_constant<uint8_t>};
  t["const.i32"] = {nothing, Reg::I32, {}, false, prepare_constant<int32_t>};
  t["const.i64"] = {nothing, Reg::I64, {}, false, prepare_constant<int64_t>};
  t["const.i128"] = {nothing, Reg::I128, {}, false, prepare_constant<int128>};
  t["const.f64"] = {nothing, Reg::F64, {}, false, prepare_constant<double>};
  t["const.str"] = {nothing, Reg::Str, {}, false, prepare_constant<View>};
}

}  // namespace tableflow::program
