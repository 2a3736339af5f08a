// Arithmetic: checked (64-bit overflow, 38 digits), wrapping (where the compiler proved the range), IEEE.
#include <cmath>

#include "program_kernel.h"
#include "reciprocal.h"

namespace tableflow::program {
namespace {

template <class T> struct Wide;
template <> struct Wide<int64_t> { using U = uint64_t; };
template <> struct Wide<int128> { using U = unsigned __int128; };
template <class T> using U = typename Wide<T>::U;

struct Add {
  template <class T> static T wrap(T a, T b) { return T(U<T>(a) + U<T>(b)); }
  template <class T> static bool overflows(T a, T b, T* r) { return __builtin_add_overflow(a, b, r); }
};
struct Subtract {
  template <class T> static T wrap(T a, T b) { return T(U<T>(a) - U<T>(b)); }
  template <class T> static bool overflows(T a, T b, T* r) { return __builtin_sub_overflow(a, b, r); }
};
struct Multiply {
  template <class T> static T wrap(T a, T b) { return T(U<T>(a) * U<T>(b)); }
  template <class T> static bool overflows(T a, T b, T* r) { return __builtin_mul_overflow(a, b, r); }
};

template <class Op, class T> void wrapping(Frame& f, const Instruction& in) {
  map_binary<T, T, T>(f, in, [](T a, T b) { return Op::wrap(a, b); });
}

template <class Op, class T> void checked(Frame& f, const Instruction& in) {
  map_binary_checked<T, T, T>(f, in, [](T a, T b, T* r) {
    bool bad = Op::overflows(a, b, r);
    if constexpr (sizeof(T) == 16) bad = bad || *r >= DECIMAL_LIMIT || *r <= -DECIMAL_LIMIT;
    return bad;
  });
}

// The divisor of an instruction that divides all lanes by the same number, if no quotient by it can fail; else 0.
template <class T> int64_t safe_constant_divisor(Frame& f, const Instruction& in) {
  if constexpr (sizeof(T) == 8) {
    const Register& right = f.reg(in.args[1]);
    if (right.constant && !right.has_errors && right.as<T>()[0] != -1) return right.as<T>()[0];
  }
  return 0;
}

// Truncates towards zero.  The least value by -1 fails like a zero divisor.
template <class T> void divide(Frame& f, const Instruction& in) {
  if (const int64_t by = safe_constant_divisor<T>(f, in)) {
    const Reciprocal reciprocal(by);
    map_unary<T, T>(f, in, [=](T a) { return T(reciprocal.quotient(int64_t(a))); });
    return;
  }
  constexpr T least = T(U<T>(1) << (sizeof(T) * 8 - 1));
  map_binary_checked<T, T, T>(f, in, [](T a, T b, T* r) {
    const bool bad = b == 0 || (b == -1 && a == least);
    *r = bad ? 0 : a / b;
    return bad;
  });
}

// Follows the dividend's sign.
template <class T> void modulo(Frame& f, const Instruction& in) {
  if (const int64_t by = safe_constant_divisor<T>(f, in)) {
    const Reciprocal reciprocal(by);
    map_unary<T, T>(f, in, [=](T a) { return T(reciprocal.rest(int64_t(a))); });
    return;
  }
  map_binary_checked<T, T, T>(f, in, [](T a, T b, T* r) {
    *r = b == 0 || b == -1 ? 0 : a % b;
    return b == 0;
  });
}

// Unlike real division, decimals divided as doubles fail on zero.
void divide_nonzero(Frame& f, const Instruction& in) {
  map_binary_checked<double, double, double>(f, in, [](double a, double b, double* r) {
    *r = a / b;
    return b == 0;
  });
}

// div(a, b, scale): the dividend is scaled up by the compiler; rounds half away from zero.
void divide_rounding(Frame& f, const Instruction& in) {
  map_binary_checked<int128, int128, int128>(f, in, [](int128 a, int128 b, int128* r) {
    *r = 0;
    if (b == 0) return true;
    *r = b < 0 ? divide_rounded(-a, -b) : divide_rounded(a, b);
    return false;
  });
}

// The value if it lies in [low, high], else an error.
template <class T> void range(Frame& f, const Instruction& in) {
  const T low = T(in.immediates[0].integer), high = T(in.immediates[1].integer);
  map_unary_checked<T, T>(f, in, [=](T a, T* r) {
    *r = a;
    return a < low || a > high;
  });
}

template <class T> void prepare_range(Instruction& in) {
  if (in.immediates.size() != 2) throw std::invalid_argument("a range has two ends");
  for (const auto& m : in.immediates)
    if (m.kind != Immediate::Integer || int128(T(m.integer)) != m.integer) throw std::invalid_argument("range out of range");
}

// Scaled integer to fewer digits behind the point; the immediate is the power of ten.
template <class T> void scale_down(Frame& f, const Instruction& in) {
  const T by = T(in.immediates[0].integer);
  map_unary<T, T>(f, in, [=](T a) { return divide_rounded(a, by); });
}
// Times a power of ten, for comparing: what would have more than 38 digits is 10^38, which is beyond whatever has not.
void scale_up(Frame& f, const Instruction& in) {
  const int128 by = in.immediates[0].integer, most = (DECIMAL_LIMIT - 1) / by;
  map_unary<int128, int128>(f, in, [=](int128 a) { return a > most ? DECIMAL_LIMIT : a < -most ? -DECIMAL_LIMIT : a * by; });
}
template <class T> void prepare_scale(Instruction& in) {
  if (in.immediates.size() != 1 || in.immediates[0].kind != Immediate::Integer || in.immediates[0].integer < 1 ||
      int128(T(in.immediates[0].integer)) != in.immediates[0].integer)
    throw std::invalid_argument("a scale is a positive power of ten");
}

// Rounds to what FLOAT can hold; a number that becomes infinite fails.
void single_checked(Frame& f, const Instruction& in) {
  map_unary_checked<double, double>(f, in, [](double a, double* r) {
    *r = double(float(a));
    return std::isinf(*r) && !std::isinf(a);
  });
}

template <double (*Op)(double)> void real_unary(Frame& f, const Instruction& in) {
  map_unary<double, double>(f, in, [](double a) { return Op(a); });
}
template <class T> void absolute(Frame& f, const Instruction& in) {  // of the least value: itself; the compiler checks
  map_unary<T, T>(f, in, [](T a) { return a < 0 ? T(U<T>(0) - U<T>(a)) : a; });
}
double round_half_away(double a) { return std::round(a); }

void real(OpTable& t) {
  t["add.f64"] = {[](Frame& f, const Instruction& in) { map_binary<double, double, double>(f, in, [](double a, double b) { return a + b; }); },
                  Reg::F64, {Reg::F64, Reg::F64}};
  t["sub.f64"] = {[](Frame& f, const Instruction& in) { map_binary<double, double, double>(f, in, [](double a, double b) { return a - b; }); },
                  Reg::F64, {Reg::F64, Reg::F64}};
  t["mul.f64"] = {[](Frame& f, const Instruction& in) { map_binary<double, double, double>(f, in, [](double a, double b) { return a * b; }); },
                  Reg::F64, {Reg::F64, Reg::F64}};
  t["div.f64"] = {[](Frame& f, const Instruction& in) { map_binary<double, double, double>(f, in, [](double a, double b) { return a / b; }); },
                  Reg::F64, {Reg::F64, Reg::F64}};
  t["mod.f64"] = {[](Frame& f, const Instruction& in) { map_binary<double, double, double>(f, in, [](double a, double b) { return std::fmod(a, b); }); },
                  Reg::F64, {Reg::F64, Reg::F64}};
  t["divide_nonzero.f64"] = {divide_nonzero, Reg::F64, {Reg::F64, Reg::F64}, true};
  t["neg.f64"] = {[](Frame& f, const Instruction& in) { map_unary<double, double>(f, in, [](double a) { return -a; }); }, Reg::F64, {Reg::F64}};
  t["single.f64"] = {[](Frame& f, const Instruction& in) { map_unary<double, double>(f, in, [](double a) { return double(float(a)); }); },
                     Reg::F64, {Reg::F64}};  // rounds to what FLOAT can hold
  t["single_checked.f64"] = {single_checked, Reg::F64, {Reg::F64}, true};
  t["abs.f64"] = {real_unary<std::fabs>, Reg::F64, {Reg::F64}};
  t["floor.f64"] = {real_unary<std::floor>, Reg::F64, {Reg::F64}};
  t["ceil.f64"] = {real_unary<std::ceil>, Reg::F64, {Reg::F64}};
  t["round.f64"] = {real_unary<round_half_away>, Reg::F64, {Reg::F64}};
}

template <class T> void exact(OpTable& t, const std::string& k, Reg reg) {
  t["add." + k] = {checked<Add, T>, reg, {reg, reg}, true};
  t["sub." + k] = {checked<Subtract, T>, reg, {reg, reg}, true};
  t["mul." + k] = {checked<Multiply, T>, reg, {reg, reg}, true};
  t["add_wrapping." + k] = {wrapping<Add, T>, reg, {reg, reg}};
  t["sub_wrapping." + k] = {wrapping<Subtract, T>, reg, {reg, reg}};
  t["mul_wrapping." + k] = {wrapping<Multiply, T>, reg, {reg, reg}};
  t["div." + k] = {divide<T>, reg, {reg, reg}, true};
  t["mod." + k] = {modulo<T>, reg, {reg, reg}, true};
  t["range." + k] = {range<T>, reg, {reg}, true, prepare_range<T>};
  t["scale_down." + k] = {scale_down<T>, reg, {reg}, false, prepare_scale<T>};
  t["abs." + k] = {absolute<T>, reg, {reg}};
}

}  // namespace

void TABLEFLOW_FOR_PROCESSOR(add_arithmetic_ops)(OpTable& t) {
  exact<int64_t>(t, "i64", Reg::I64);
  exact<int128>(t, "i128", Reg::I128);
  t["scale_up.i128"] = {scale_up, Reg::I128, {Reg::I128}, false, prepare_scale<int128>};
  t["divide_rounding.i128"] = {divide_rounding, Reg::I128, {Reg::I128, Reg::I128}, true};
  real(t);
}

}  // namespace tableflow::program
