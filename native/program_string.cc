// Strings are views; positions and lengths count UTF-8 characters.
#include "program_kernel.h"
#include "program_like.h"
#include "program_text.h"

namespace tableflow::program {
namespace {

void like(Frame& f, const Instruction& in) {
  const auto& pattern = static_cast<const Like&>(*in.prepared);
  Register& r = strict(f, in);
  const View* a = f.reg(in.args[0]).as<View>();
  pattern.match_all(a, f.n, r.as<uint8_t>());
}

void prepare_like(Instruction& in) {
  if (in.immediates.size() != 2 || in.immediates[0].kind != Immediate::Text || in.immediates[1].kind != Immediate::Text)
    throw std::invalid_argument("LIKE has a pattern and an escape");
  in.prepared = std::make_shared<Like>(in.immediates[0].text, in.immediates[1].text);
}

int64_t characters(View s) { return program::characters(s.data, s.size); }

void length(Frame& f, const Instruction& in) {
  map_unary<View, int64_t>(f, in, [](View s) { return characters(s); });
}
void byte_length(Frame& f, const Instruction& in) {
  map_unary<View, int64_t>(f, in, [](View s) { return s.size; });
}

// Byte offset of the character with this number from 0, or the end.
int64_t offset_of(View s, int64_t character) {
  int64_t i = 0;
  for (; i < s.size && character > 0; --character)
    for (++i; i < s.size && !starts_character(s.data[i]);) ++i;
  return i;
}

// Positions from 1, negative ones from the end; positions before the first character are used up by the count.
View substring(View s, int64_t start, int64_t count) {
  int64_t end;
  if (start < 0) start += characters(s) + 1;
  if (__builtin_add_overflow(start, count, &end)) end = INT64_MAX;
  if (start < 1) start = 1;
  if (end <= start) return {s.data, 0};
  const int64_t from = offset_of(s, start - 1);
  const View rest{s.data + from, s.size - from};
  return {rest.data, offset_of(rest, end - start)};
}

void substring_from_for(Frame& f, const Instruction& in) {
  Register& r = strict(f, in);
  const View* s = f.reg(in.args[0]).as<View>();
  const int64_t* start = f.reg(in.args[1]).as<int64_t>();
  const int64_t* count = f.reg(in.args[2]).as<int64_t>();
  for (int i = 0; i < f.n; ++i) {
    if (!usable(r, i)) {
      r.as<View>()[i] = View{"", 0};
    } else if (count[i] < 0) {
      r.as<View>()[i] = View{"", 0};
      raise_lane(f, r, i, in.error);
    } else {
      r.as<View>()[i] = substring(s[i], start[i], count[i]);
    }
  }
}

void concat(Frame& f, const Instruction& in) {
  Register& r = strict(f, in);
  const View* a = f.reg(in.args[0]).as<View>();
  const View* b = f.reg(in.args[1]).as<View>();
  for (int i = 0; i < f.n; ++i) {
    r.as<View>()[i] = View{"", 0};
    if (!usable(r, i)) continue;
    char* bytes = f.arena.take(size_t(a[i].size + b[i].size));
    std::memcpy(bytes, a[i].data, size_t(a[i].size));
    std::memcpy(bytes + a[i].size, b[i].data, size_t(b[i].size));
    r.as<View>()[i] = View{bytes, a[i].size + b[i].size};
  }
}

}  // namespace

void add_string_ops(OpTable& t) {
  t["like.str"] = {like, Reg::Bool, {Reg::Str}, false, prepare_like};
  t["length.str"] = {length, Reg::I64, {Reg::Str}};
  t["byte_length.str"] = {byte_length, Reg::I64, {Reg::Str}};
  t["substring.str"] = {substring_from_for, Reg::Str, {Reg::Str, Reg::I64, Reg::I64}, true};
  t["concat.str"] = {concat, Reg::Str, {Reg::Str, Reg::Str}};
}

}  // namespace tableflow::program
