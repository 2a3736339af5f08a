// Calendar arithmetic in the proleptic Gregorian calendar; dates are days since 1970-01-01.
// Algorithms: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
#include "program_kernel.h"
#include "reciprocal.h"

namespace tableflow::program {
namespace {

struct Civil {
  int64_t year;
  int32_t month, day;
};

Civil civil(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const uint32_t of_era = uint32_t(days - era * 146097);
  const uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const uint32_t shifted = (5 * of_year + 2) / 153;
  const int32_t day = int32_t(of_year - (153 * shifted + 2) / 5 + 1);
  const int32_t month = int32_t(shifted < 10 ? shifted + 3 : shifted - 9);
  return {int64_t(year) + era * 400 + (month <= 2), month, day};
}

int64_t days_of(int64_t year, int32_t month, int32_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const uint32_t of_era = uint32_t(year - era * 400);
  const uint32_t of_year = uint32_t((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1);
  return era * 146097 + int64_t(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

int32_t days_in_month(int64_t year, int32_t month) {
  static constexpr int32_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

template <class Part> void date_part(Frame& f, const Instruction& in, Part part) {
  map_unary<int32_t, int64_t>(f, in, [=](int32_t d) { return int64_t(part(d)); });
}
void year(Frame& f, const Instruction& in) { date_part(f, in, [](int32_t d) { return civil(d).year; }); }
void month(Frame& f, const Instruction& in) { date_part(f, in, [](int32_t d) { return civil(d).month; }); }
void day(Frame& f, const Instruction& in) { date_part(f, in, [](int32_t d) { return civil(d).day; }); }
void quarter(Frame& f, const Instruction& in) { date_part(f, in, [](int32_t d) { return (civil(d).month + 2) / 3; }); }
void day_of_year(Frame& f, const Instruction& in) {
  date_part(f, in, [](int32_t d) { return d - days_of(civil(d).year, 1, 1) + 1; });
}

// Days plus months: the day of the month is cut to the month's length.  Outside of the 32-bit days it fails.
void add_months(Frame& f, const Instruction& in) {
  map_binary_checked<int32_t, int64_t, int32_t>(f, in, [](int32_t d, int64_t months, int32_t* r) {
    *r = 0;
    if (months > 1'000'000'000 || months < -1'000'000'000) return true;
    const Civil c = civil(d);
    const int64_t total = c.year * 12 + (c.month - 1) + months;
    const int64_t y = total >= 0 ? total / 12 : (total - 11) / 12;
    const int32_t m = int32_t(total - y * 12) + 1;
    const int32_t last = days_in_month(y, m);
    const int64_t days = days_of(y, m, c.day < last ? c.day : last);
    *r = int32_t(days);
    return days != int64_t(*r);
  });
}

// Quotient towards minus infinity by the positive immediate: micro- or nanoseconds to days, and the rest.
void floor_divide(Frame& f, const Instruction& in) {
  const Reciprocal by(int64_t(in.immediates[0].integer));
  map_unary<int64_t, int64_t>(f, in, [=](int64_t a) { return by.quotient(a) - (by.rest(a) < 0); });
}
void floor_modulo(Frame& f, const Instruction& in) {
  const int64_t unit = int64_t(in.immediates[0].integer);
  const Reciprocal by(unit);
  map_unary<int64_t, int64_t>(f, in, [=](int64_t a) {
    const int64_t rest = by.rest(a);
    return rest < 0 ? rest + unit : rest;
  });
}
void prepare_floor(Instruction& in) {
  if (in.immediates.size() != 1 || in.immediates[0].kind != Immediate::Integer || in.immediates[0].integer < 1 ||
      in.immediates[0].integer > INT64_MAX)
    throw std::invalid_argument("a unit is a positive number");
}

}  // namespace

void add_time_ops(OpTable& t) {
  t["year.i32"] = {year, Reg::I64, {Reg::I32}};
  t["month.i32"] = {month, Reg::I64, {Reg::I32}};
  t["day.i32"] = {day, Reg::I64, {Reg::I32}};
  t["quarter.i32"] = {quarter, Reg::I64, {Reg::I32}};
  t["day_of_year.i32"] = {day_of_year, Reg::I64, {Reg::I32}};
  t["add_months.i32"] = {add_months, Reg::I32, {Reg::I32, Reg::I64}, true};
  t["floor_div.i64"] = {floor_divide, Reg::I64, {Reg::I64}, false, prepare_floor};
  t["floor_mod.i64"] = {floor_modulo, Reg::I64, {Reg::I64}, false, prepare_floor};
}

}  // namespace tableflow::program
