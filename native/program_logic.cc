// Three-valued logic and choice.  In AND and OR an error counts only where no operand decides, so that operands commute; a choice
// has the errors of its condition and of what it chose.
#include "program_kernel.h"

namespace tableflow::program {
namespace {

bool null_at(const Register& r, int i) { return r.has_nulls && r.nulls[i]; }
Code error_at(const Register& r, int i) { return r.has_errors ? r.errors[i] : Code(0); }

// AND with `decides` = 0, OR with `decides` = 1.
template <uint8_t decides> void junction(Frame& f, const Instruction& in) {
  Register& r = strict(f, in);
  const Register& a = f.reg(in.args[0]);
  const Register& b = f.reg(in.args[1]);
  const uint8_t* x = a.as<uint8_t>();
  const uint8_t* y = b.as<uint8_t>();
  uint8_t* out = r.as<uint8_t>();
  const int n = f.n;
  if (!r.has_nulls && !r.has_errors) {
    if constexpr (decides == 0) for (int i = 0; i < n; ++i) out[i] = x[i] & y[i];
    else for (int i = 0; i < n; ++i) out[i] = x[i] | y[i];
    return;
  }
  for (int i = 0; i < n; ++i) {
    const bool left_null = null_at(a, i), right_null = null_at(b, i);
    const Code left = error_at(a, i), right = error_at(b, i);
    const bool left_decides = !left && !left_null && x[i] == decides;
    const bool right_decides = !right && !right_null && y[i] == decides;
    const bool decided = left_decides || right_decides;
    const Code error = decided ? Code(0) : left ? left : right;
    out[i] = decided ? decides : !decides;
    if (r.has_nulls) r.nulls[i] = !error && !decided && (left_null || right_null);
    if (r.has_errors) r.errors[i] = error;
  }
}

void negate(Frame& f, const Instruction& in) {
  map_unary<uint8_t, uint8_t>(f, in, [](uint8_t a) { return uint8_t(a ^ 1); });
}

// IS [NOT] NULL: never NULL, errors pass.
template <bool wanted> void is_null(Frame& f, const Instruction& in) {
  Register& r = strict(f, in);
  const Register& a = f.reg(in.args[0]);
  uint8_t* out = r.as<uint8_t>();
  for (int i = 0; i < f.n; ++i) out[i] = null_at(a, i) == wanted;
  r.has_nulls = false;
}

// IS [NOT] TRUE, IS [NOT] FALSE.
template <uint8_t value, bool wanted> void is_value(Frame& f, const Instruction& in) {
  Register& r = strict(f, in);
  const Register& a = f.reg(in.args[0]);
  uint8_t* out = r.as<uint8_t>();
  for (int i = 0; i < f.n; ++i) out[i] = (!null_at(a, i) && a.as<uint8_t>()[i] == value) == wanted;
  r.has_nulls = false;
}

void reserve_flags(Frame& f, Register& r, bool nulls, bool errors) {
  r.data = r.own;
  r.has_nulls = nulls;
  r.has_errors = errors;
  if (nulls) std::memset(r.nulls, 0, size_t(f.n));
  if (errors) std::memset(r.errors, 0, sizeof(Code) * size_t(f.n));
}

// The second argument where the first is TRUE, else the third; an error of the chosen one only, or of the condition.
template <class T> void select(Frame& f, const Instruction& in) {
  const Register& c = f.reg(in.args[0]);
  const Register& a = f.reg(in.args[1]);
  const Register& b = f.reg(in.args[2]);
  Register& r = f.reg(in.out);
  reserve_flags(f, r, a.has_nulls || b.has_nulls, c.has_errors || a.has_errors || b.has_errors);
  const uint8_t* condition = c.as<uint8_t>();
  const T* x = a.as<T>();
  const T* y = b.as<T>();
  T* out = r.as<T>();
  const int n = f.n;
  if (!c.has_nulls && !r.has_nulls && !r.has_errors) {
    for (int i = 0; i < n; ++i) out[i] = condition[i] ? x[i] : y[i];
    return;
  }
  for (int i = 0; i < n; ++i) {
    const bool first = condition[i] && !null_at(c, i);
    out[i] = first ? x[i] : y[i];
    const Register& chosen = first ? a : b;
    if (r.has_nulls) r.nulls[i] = null_at(chosen, i);
    if (r.has_errors) r.errors[i] = error_at(c, i) ? error_at(c, i) : error_at(chosen, i);
  }
}

// The first argument unless it is NULL.
template <class T> void coalesce(Frame& f, const Instruction& in) {
  const Register& a = f.reg(in.args[0]);
  const Register& b = f.reg(in.args[1]);
  Register& r = f.reg(in.out);
  reserve_flags(f, r, a.has_nulls && b.has_nulls, a.has_errors || b.has_errors);
  for (int i = 0; i < f.n; ++i) {
    const bool first = error_at(a, i) || !null_at(a, i);
    const Register& chosen = first ? a : b;
    r.as<T>()[i] = chosen.as<T>()[i];
    if (r.has_nulls) r.nulls[i] = !first && null_at(b, i);
    if (r.has_errors) r.errors[i] = error_at(chosen, i);
  }
}

// An error becomes NULL.
template <class T> void attempt(Frame& f, const Instruction& in) {
  const Register& a = f.reg(in.args[0]);
  Register& r = f.reg(in.out);
  reserve_flags(f, r, a.has_nulls || a.has_errors, false);
  std::memcpy(r.data, a.data, sizeof(T) * size_t(f.n));
  if (r.has_nulls)
    for (int i = 0; i < f.n; ++i) r.nulls[i] = null_at(a, i) || error_at(a, i);
}

// The first argument, whose errors become NULL unless the second has them too: what a lenient cast adds to its operand.
template <class T> void lenient(Frame& f, const Instruction& in) {
  const Register& a = f.reg(in.args[0]);
  const Register& operand = f.reg(in.args[1]);
  Register& r = f.reg(in.out);
  reserve_flags(f, r, a.has_nulls || a.has_errors, operand.has_errors);
  std::memcpy(r.data, a.data, sizeof(T) * size_t(f.n));
  for (int i = 0; i < f.n; ++i) {
    if (r.has_errors) r.errors[i] = error_at(operand, i);
    if (r.has_nulls) r.nulls[i] = !error_at(operand, i) && (null_at(a, i) || error_at(a, i));
  }
}

template <class T> void of_kind(OpTable& t, const std::string& k) {
  const Reg reg = RegOf<T>::kind;
  t["select." + k] = {select<T>, reg, {Reg::Bool, reg, reg}};
  t["coalesce." + k] = {coalesce<T>, reg, {reg, reg}};
  t["try." + k] = {attempt<T>, reg, {reg}};
  t["lenient." + k] = {lenient<T>, reg, {reg, Reg::Bool}};
  t["is_null." + k] = {is_null<true>, Reg::Bool, {reg}};
  t["is_not_null." + k] = {is_null<false>, Reg::Bool, {reg}};
}

}  // namespace

void add_logic_ops(OpTable& t) {
  t["and.bool"] = {junction<0>, Reg::Bool, {Reg::Bool, Reg::Bool}};
  t["or.bool"] = {junction<1>, Reg::Bool, {Reg::Bool, Reg::Bool}};
  t["not.bool"] = {negate, Reg::Bool, {Reg::Bool}};
  t["is_true.bool"] = {is_value<1, true>, Reg::Bool, {Reg::Bool}};
  t["is_not_true.bool"] = {is_value<1, false>, Reg::Bool, {Reg::Bool}};
  t["is_false.bool"] = {is_value<0, true>, Reg::Bool, {Reg::Bool}};
  t["is_not_false.bool"] = {is_value<0, false>, Reg::Bool, {Reg::Bool}};
  of_kind<uint8_t>(t, "bool");
  of_kind<int32_t>(t, "i32");
  of_kind<int64_t>(t, "i64");
  of_kind<int128>(t, "i128");
  of_kind<double>(t, "f64");
  of_kind<View>(t, "str");
}

}  // namespace tableflow::program
