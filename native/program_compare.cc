// Comparisons: NaN equals NaN and stands above all numbers, -0.0 equals 0.0, strings by bytes (UTF-8 order).
#include "program_kernel.h"

namespace tableflow::program {
namespace {

template <class T> bool equal(T a, T b) { return a == b; }
template <> bool equal(double a, double b) { return a == b || (a != a && b != b); }
template <> bool equal(View a, View b) { return a.size == b.size && std::memcmp(a.data, b.data, size_t(a.size)) == 0; }

template <class T> bool less(T a, T b) { return a < b; }
template <> bool less(double a, double b) { return a < b || (b != b && a == a); }
template <> bool less(View a, View b) {
  const int c = std::memcmp(a.data, b.data, size_t(a.size < b.size ? a.size : b.size));
  return c < 0 || (c == 0 && a.size < b.size);
}

template <class T> void eq(Frame& f, const Instruction& in) { map_binary<T, T, uint8_t>(f, in, [](T a, T b) { return equal(a, b); }); }
template <class T> void ne(Frame& f, const Instruction& in) { map_binary<T, T, uint8_t>(f, in, [](T a, T b) { return !equal(a, b); }); }
template <class T> void lt(Frame& f, const Instruction& in) { map_binary<T, T, uint8_t>(f, in, [](T a, T b) { return less(a, b); }); }
template <class T> void le(Frame& f, const Instruction& in) { map_binary<T, T, uint8_t>(f, in, [](T a, T b) { return !less(b, a); }); }
template <class T> void gt(Frame& f, const Instruction& in) { map_binary<T, T, uint8_t>(f, in, [](T a, T b) { return less(b, a); }); }
template <class T> void ge(Frame& f, const Instruction& in) { map_binary<T, T, uint8_t>(f, in, [](T a, T b) { return !less(a, b); }); }

// IS NOT DISTINCT FROM: NULL equals NULL; errors pass.
template <class T> void same(Frame& f, const Instruction& in) {
  Register& r = strict(f, in);
  const Register& a = f.reg(in.args[0]);
  const Register& b = f.reg(in.args[1]);
  uint8_t* out = r.as<uint8_t>();
  for (int i = 0; i < f.n; ++i) {
    const bool x = a.has_nulls && a.nulls[i], y = b.has_nulls && b.nulls[i];
    out[i] = x || y ? x == y : equal(a.as<T>()[i], b.as<T>()[i]);
  }
  r.has_nulls = false;
}

template <class T> void all(OpTable& t, const std::string& k) {
  const Reg reg = RegOf<T>::kind;
  t["eq." + k] = {eq<T>, Reg::Bool, {reg, reg}};
  t["ne." + k] = {ne<T>, Reg::Bool, {reg, reg}};
  t["lt." + k] = {lt<T>, Reg::Bool, {reg, reg}};
  t["le." + k] = {le<T>, Reg::Bool, {reg, reg}};
  t["gt." + k] = {gt<T>, Reg::Bool, {reg, reg}};
  t["ge." + k] = {ge<T>, Reg::Bool, {reg, reg}};
  t["same." + k] = {same<T>, Reg::Bool, {reg, reg}};
}

}  // namespace

void TABLEFLOW_FOR_PROCESSOR(add_compare_ops)(OpTable& t) {
  all<uint8_t>(t, "bool");
  all<int32_t>(t, "i32");
  all<int64_t>(t, "i64");
  all<int128>(t, "i128");
  all<double>(t, "f64");
  all<View>(t, "str");
}

}  // namespace tableflow::program
