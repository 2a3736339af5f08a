// Conversions between register kinds.  Widening is exact; narrowing follows a `range` or a proof by the compiler.
#include <cmath>

#include "program_kernel.h"

namespace tableflow::program {
namespace {

template <class A, class R> void convert(Frame& f, const Instruction& in) {
  map_unary<A, R>(f, in, [](A a) { return R(a); });
}

// Scaled integer to double: the immediate is the power of ten, exact up to 10^22, so that small values round correctly.
template <class A> void descale(Frame& f, const Instruction& in) {
  const double by = double(in.immediates[0].integer);
  map_unary<A, double>(f, in, [=](A a) { return double(a) / by; });
}
void prepare_descale(Instruction& in) {
  if (in.immediates.size() != 1 || in.immediates[0].kind != Immediate::Integer || in.immediates[0].integer < 1)
    throw std::invalid_argument("a scale is a positive power of ten");
}

// Double, times the first immediate, to an integer: rounded half away from zero, or truncated when the second is 1; NaN and
// what is outside [third, fourth] fail.
template <class R> void from_real(Frame& f, const Instruction& in) {
  const double by = double(in.immediates[0].integer);
  const bool truncate = in.immediates[1].integer != 0;
  const int128 low = in.immediates[2].integer, high = in.immediates[3].integer;
  map_unary_checked<double, R>(f, in, [=](double a, R* r) {
    const double scaled = truncate ? std::trunc(a * by) : std::round(a * by);
    *r = 0;
    if (!(scaled > -1.7e38 && scaled < 1.7e38)) return true;
    const int128 whole = int128(scaled);
    if (whole < low || whole > high) return true;
    *r = R(whole);
    return false;
  });
}
void prepare_from_real(Instruction& in) {
  if (in.immediates.size() != 4) throw std::invalid_argument("a conversion from double has scale, mode and range");
  for (const auto& m : in.immediates)
    if (m.kind != Immediate::Integer) throw std::invalid_argument("a conversion from double has scale, mode and range");
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
  t["i64_to_f64"] = {descale<int64_t>, Reg::F64, {Reg::I64}, false, prepare_descale};
  t["i128_to_f64"] = {descale<int128>, Reg::F64, {Reg::I128}, false, prepare_descale};
  t["f64_to_i64"] = {from_real<int64_t>, Reg::I64, {Reg::F64}, true, prepare_from_real};
  t["f64_to_i128"] = {from_real<int128>, Reg::I128, {Reg::F64}, true, prepare_from_real};
}

}  // namespace tableflow::program
