// Loops that instructions are made of: one result per lane from one or two arguments, constants kept in a register.
//
// They are compiled once for each kind of processor, see processor.h.
#pragma once

#include "processor.h"
#include "program.h"

namespace tableflow::program {
inline namespace TABLEFLOW_PROCESSOR {

// Of the first argument; further ones, which are the same for all lanes, are known to `op` and have a say in NULLs alone.
template <class A, class R, class Op> void map_unary(Frame& f, const Instruction& in, Op op) {
  Register& r = strict(f, in);
  const A* __restrict a = f.reg(in.args[0]).as<A>();
  R* __restrict out = r.as<R>();
  const int n = f.n;
  for (int i = 0; i < n; ++i) out[i] = op(a[i]);
}

template <class A, class B, class R, class Op> void map_binary(Frame& f, const Instruction& in, Op op) {
  Register& r = strict(f, in);
  const Register& left = f.reg(in.args[0]);
  const Register& right = f.reg(in.args[1]);
  const A* __restrict a = left.as<A>();
  const B* __restrict b = right.as<B>();
  R* __restrict out = r.as<R>();
  const int n = f.n;
  if (right.constant) {
    const B y = b[0];
    for (int i = 0; i < n; ++i) out[i] = op(a[i], y);
  } else if (left.constant) {
    const A x = a[0];
    for (int i = 0; i < n; ++i) out[i] = op(x, b[i]);
  } else {
    for (int i = 0; i < n; ++i) out[i] = op(a[i], b[i]);
  }
}

// As above for what can fail: `op(a, b, out)` is true when it failed.  Usual chunks have no failure and no second pass.
template <class A, class R, class Op> void map_unary_checked(Frame& f, const Instruction& in, Op op) {
  Register& r = strict(f, in);
  const A* a = f.reg(in.args[0]).as<A>();
  R* out = r.as<R>();
  bool any = false;
  for (int i = 0; i < f.n; ++i) any |= op(a[i], &out[i]);
  if (!any) return;
  for (int i = 0; i < f.n; ++i) {
    R again;
    if (op(a[i], &again) && usable(r, i)) raise_lane(f, r, i, in.error);
  }
}

template <class A, class B, class R, class Op> void map_binary_checked(Frame& f, const Instruction& in, Op op) {
  Register& r = strict(f, in);
  const A* a = f.reg(in.args[0]).as<A>();
  const B* b = f.reg(in.args[1]).as<B>();
  R* out = r.as<R>();
  bool any = false;
  for (int i = 0; i < f.n; ++i) any |= op(a[i], b[i], &out[i]);
  if (!any) return;
  for (int i = 0; i < f.n; ++i) {
    R again;
    if (op(a[i], b[i], &again) && usable(r, i)) raise_lane(f, r, i, in.error);
  }
}

constexpr int128 power_of_ten(int digits) {
  int128 p = 1;
  for (int i = 0; i < digits; ++i) p *= 10;
  return p;
}
constexpr int128 DECIMAL_LIMIT = power_of_ten(38);  // magnitudes of decimals are below it

// Quotient rounded half away from zero; the divisor is positive.
template <class T> constexpr T divide_rounded(T value, T by) {
  const T quotient = value / by, rest = value % by;
  const T magnitude = rest < 0 ? -rest : rest;
  return magnitude >= by - magnitude ? quotient + (value < 0 ? -1 : 1) : quotient;
}

}  // inline namespace
}  // namespace tableflow::program
