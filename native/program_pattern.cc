// Regular expressions and letters' case as instructions: parts of a text are views into it.
#include "letter_case.h"
#include "pattern.h"
#include "program_kernel.h"

namespace tableflow::program {
namespace {

struct Compiled : Prepared {
  std::unique_ptr<const Pattern> pattern;
  int group = 0;
  std::vector<std::pair<std::string, int>> pieces;  // of a replacement: a text, then a group, or -1
};

std::shared_ptr<Compiled> compiled(const Instruction& in, uint32_t groups) {
  auto made = std::make_shared<Compiled>();
  made->pattern = Pattern::compile(in.immediates[0].text, groups);
  if (!made->pattern) throw std::invalid_argument("a pattern without instructions");
  return made;
}

void need(const Instruction& in, std::initializer_list<Immediate::Kind> kinds) {
  bool good = in.immediates.size() == kinds.size();
  for (size_t i = 0; good && i < kinds.size(); ++i) good = in.immediates[i].kind == kinds.begin()[i];
  if (!good) throw std::invalid_argument("'" + in.op + "' with other parameters");
}

void prepare_test(Instruction& in) {
  need(in, {Immediate::Text});
  in.prepared = compiled(in, 0);
}

void prepare_extract(Instruction& in) {
  need(in, {Immediate::Text, Immediate::Integer});
  const int128 group = in.immediates[1].integer;
  if (group < 0 || group >= PATTERN_GROUPS) throw std::invalid_argument("a group that cannot be");
  const auto made = compiled(in, 1u << int(group));
  if (group > made->pattern->groups()) throw std::invalid_argument("a group that the pattern has not");
  made->group = int(group);
  in.prepared = made;
}

// A backslash and a digit is a group, two of them are one; anything else behind a backslash is wrong.
void prepare_replace(Instruction& in) {
  need(in, {Immediate::Text, Immediate::Text});
  const auto made = compiled(in, (1u << PATTERN_GROUPS) - 1);
  if (made->pattern->looks_around()) throw std::invalid_argument("a match that need not be one alone");
  made->pieces.push_back({"", -1});
  const std::string& text = in.immediates[1].text;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      made->pieces.back().first += text[i];
      continue;
    }
    const char c = ++i < text.size() ? text[i] : 0;
    if (c == '\\') {
      made->pieces.back().first += c;
    } else if (c >= '0' && c - '0' <= made->pattern->groups() && c <= '9') {
      made->pieces.back().second = c - '0';
      made->pieces.push_back({"", -1});
    } else {
      throw std::invalid_argument("a replacement that names no group");
    }
  }
  in.prepared = made;
}

void test(Frame& f, const Instruction& in) {
  const auto& to = static_cast<const Compiled&>(*in.prepared);
  Register& r = strict(f, in);
  const View* a = f.reg(in.args[0]).as<View>();
  PatternScratch scratch;
  PatternSpan spans[PATTERN_GROUPS];
  for (int i = 0; i < f.n; ++i) r.as<uint8_t>()[i] = usable(r, i) && to.pattern->search(a[i], scratch, spans);
}

void extract(Frame& f, const Instruction& in) {
  const auto& to = static_cast<const Compiled&>(*in.prepared);
  Register& r = strict(f, in);
  const View* a = f.reg(in.args[0]).as<View>();
  View* out = r.as<View>();
  PatternScratch scratch;
  PatternSpan spans[PATTERN_GROUPS];
  for (int i = 0; i < f.n; ++i) {
    out[i] = View{"", 0};
    if (!usable(r, i) || !to.pattern->search(a[i], scratch, spans)) continue;
    const PatternSpan& found = spans[to.group];
    if (found.found()) out[i] = View{a[i].data + found.begin, found.end - found.begin};
  }
}

void append_part(std::string_view text, int64_t begin, int64_t end, std::string& out) { out += text.substr(size_t(begin), size_t(end - begin)); }

void append_replacement(const Compiled& to, std::string_view text, const PatternSpan* spans, std::string& out) {
  for (const auto& [literal, group] : to.pieces) {
    out += literal;
    if (group >= 0 && spans[group].found()) append_part(text, spans[group].begin, spans[group].end, out);
  }
}

// The first match replaced.  As in Arrow's kernel the groups are those of the match alone.
void replaced(const Compiled& to, std::string_view text, PatternScratch& scratch, std::string& out) {
  PatternSpan spans[PATTERN_GROUPS];
  if (!to.pattern->search(text, scratch, spans)) {
    out += text;
    return;
  }
  const PatternSpan whole = spans[0];
  append_part(text, 0, whole.begin, out);
  if (to.pattern->same_alone(text, whole)) {
    append_replacement(to, text, spans, out);
  } else {
    const std::string_view match = text.substr(size_t(whole.begin), size_t(whole.end - whole.begin));
    to.pattern->search(match, scratch, spans);
    append_part(match, 0, spans[0].begin, out);
    append_replacement(to, match, spans, out);
    append_part(match, spans[0].end, int64_t(match.size()), out);
  }
  append_part(text, whole.end, int64_t(text.size()), out);
}

void replace(Frame& f, const Instruction& in) {
  const auto& to = static_cast<const Compiled&>(*in.prepared);
  Register& r = strict(f, in);
  const View* a = f.reg(in.args[0]).as<View>();
  PatternScratch scratch;
  std::string made;
  for (int i = 0; i < f.n; ++i) {
    r.as<View>()[i] = View{"", 0};
    if (!usable(r, i)) continue;
    made.clear();
    replaced(to, a[i], scratch, made);
    char* bytes = f.arena.take(made.size());
    std::memcpy(bytes, made.data(), made.size());
    r.as<View>()[i] = View{bytes, int64_t(made.size())};
  }
}

template <bool CAPITAL> void change(Frame& f, const Instruction& in) {
  Register& r = strict(f, in);
  const View* a = f.reg(in.args[0]).as<View>();
  for (int i = 0; i < f.n; ++i) {
    r.as<View>()[i] = View{"", 0};
    if (!usable(r, i)) continue;
    char* bytes = f.arena.take(size_t(a[i].size));
    int64_t size = a[i].size;
    if (!change_ascii_case(a[i], CAPITAL, bytes)) {
      bytes = f.arena.take(size_t(most_case_bytes(size)));
      size = change_case(a[i], CAPITAL, bytes);
    }
    r.as<View>()[i] = View{bytes, size};
  }
}

}  // namespace

void add_pattern_ops(OpTable& t) {
  t["matches.str"] = {test, Reg::Bool, {Reg::Str}, false, prepare_test};
  t["extract.str"] = {extract, Reg::Str, {Reg::Str}, false, prepare_extract};
  t["replace.str"] = {replace, Reg::Str, {Reg::Str}, false, prepare_replace};
  t["lower.str"] = {change<false>, Reg::Str, {Reg::Str}};
  t["upper.str"] = {change<true>, Reg::Str, {Reg::Str}};
}

}  // namespace tableflow::program
