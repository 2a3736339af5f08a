// Conversions between register kinds.  Widening is exact; narrowing follows a `range` or a proof by the compiler.
#include "nearest.h"
#include "program_kernel.h"

namespace tableflow::program {
namespace {

template <class A, class R> void convert(Frame& f, const Instruction& in) {
  map_unary<A, R>(f, in, [](A a) { return R(a); });
}

int digits_of(int128 power_of_ten) {
  int digits = 0;
  for (; power_of_ten > 1 && power_of_ten % 10 == 0; power_of_ten /= 10) ++digits;
  if (power_of_ten != 1) throw std::invalid_argument("a scale is a power of ten");
  return digits;
}

// Scaled integer to the nearest double, or float (BITS = 24) in a double; the immediate is the power of ten.
template <class A, int BITS> void descale(Frame& f, const Instruction& in) {
  const Descaler<BITS> descaler(digits_of(in.immediates[0].integer));
  const A* values = f.reg(in.args[0]).as<A>();
  bool simple = true;
  for (int i = 0; i < f.n; ++i) simple &= descaler.is_simple(values[i]);
  if (simple) {
    map_unary<A, double>(f, in, [&](A a) { return descaler.simple(a); });
  } else {
    map_unary<A, double>(f, in, descaler);
  }
}
void prepare_descale(Instruction& in) {
  if (in.immediates.size() != 1 || in.immediates[0].kind != Immediate::Integer)
    throw std::invalid_argument("a scale is a power of ten");
  if (digits_of(in.immediates[0].integer) > 38) throw std::invalid_argument("a scale has at most 38 digits");
}

// Double, times the first immediate, to an integer, rounded half away from zero; NaN and what is outside [second, third] fail.
template <class R> void from_real(Frame& f, const Instruction& in) {
  const int digits = digits_of(in.immediates[0].integer);
  const uint128 fives = power_of_five(digits);
  const int128 low = in.immediates[1].integer, high = in.immediates[2].integer;
  map_unary_checked<double, R>(f, in, [=](double a, R* r) {
    *r = 0;
    int128 whole;
    if (!scaled_up(a, digits, fives, &whole) || whole < low || whole > high) return true;
    *r = R(whole);
    return false;
  });
}
void prepare_from_real(Instruction& in) {
  if (in.immediates.size() != 3) throw std::invalid_argument("a conversion from double has a scale and a range");
  for (const auto& m : in.immediates)
    if (m.kind != Immediate::Integer) throw std::invalid_argument("a conversion from double has a scale and a range");
  if (digits_of(in.immediates[0].integer) > 38) throw std::invalid_argument("a scale has at most 38 digits");
}

void to_boolean(Frame& f, const Instruction& in) {
  map_unary<int64_t, uint8_t>(f, in, [](int64_t a) { return uint8_t(a != 0); });
}

}  // namespace

void TABLEFLOW_FOR_PROCESSOR(add_cast_ops)(OpTable& t) {
  t["bool_to_i32"] = {convert<uint8_t, int32_t>, Reg::I32, {Reg::Bool}};
  t["i64_to_bool"] = {to_boolean, Reg::Bool, {Reg::I64}};
  t["i32_to_i64"] = {convert<int32_t, int64_t>, Reg::I64, {Reg::I32}};
  t["i32_to_i128"] = {convert<int32_t, int128>, Reg::I128, {Reg::I32}};
  t["i64_to_i128"] = {convert<int64_t, int128>, Reg::I128, {Reg::I64}};
  t["i64_to_i32"] = {convert<int64_t, int32_t>, Reg::I32, {Reg::I64}};
  t["i128_to_i64"] = {convert<int128, int64_t>, Reg::I64, {Reg::I128}};
  t["i32_to_f64"] = {convert<int32_t, double>, Reg::F64, {Reg::I32}};
  t["i64_to_f64"] = {descale<int64_t, 53>, Reg::F64, {Reg::I64}, false, prepare_descale};
  t["i128_to_f64"] = {descale<int128, 53>, Reg::F64, {Reg::I128}, false, prepare_descale};
  t["i64_to_single"] = {descale<int64_t, 24>, Reg::F64, {Reg::I64}, false, prepare_descale};
  t["i128_to_single"] = {descale<int128, 24>, Reg::F64, {Reg::I128}, false, prepare_descale};
  t["f64_to_i64"] = {from_real<int64_t>, Reg::I64, {Reg::F64}, true, prepare_from_real};
  t["f64_to_i128"] = {from_real<int128>, Reg::I128, {Reg::F64}, true, prepare_from_real};
}

}  // namespace tableflow::program
