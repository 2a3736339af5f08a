// Every occurrence of one text in another replaced, and how long what comes out would be.
//
// UTF-8 needs no looking at: a whole character occurs nowhere but where it begins.
#include "program_kernel.h"
#include "program_like.h"
#include "program_text.h"

namespace tableflow::program {
namespace {

struct Substitution : Prepared {
  std::string old, with;
  int64_t longer = 0;  // by so many characters with each occurrence
};

void prepare(Instruction& in) {
  if (in.immediates.size() != 2 || in.immediates[0].kind != Immediate::Text || in.immediates[1].kind != Immediate::Text)
    throw std::invalid_argument("a substitution has a text and another one");
  auto made = std::make_shared<Substitution>();
  made->old = in.immediates[0].text;
  made->with = in.immediates[1].text;
  if (made->old.empty()) throw std::invalid_argument("nothing is substituted");
  const auto length = [](const std::string& text) { return characters(text.data(), int64_t(text.size())); };
  made->longer = length(made->with) - length(made->old);
  in.prepared = made;
}

int64_t occurrences(View text, const std::string& part) {
  if (part.size() == 1) return count_bytes(text.data, text.size, [wanted = part[0]](char c) { return c == wanted; });
  const std::string_view all(text.data, size_t(text.size));
  int64_t found = 0;
  for (size_t at = 0; (at = find_bytes(all, part, at)) != std::string_view::npos; at += part.size()) ++found;
  return found;
}

View substituted(View text, const Substitution& to, Arena& arena) {
  const int64_t found = occurrences(text, to.old);
  if (!found) return text;
  const int64_t size = text.size + found * (int64_t(to.with.size()) - int64_t(to.old.size()));
  if (size == 0) return {"", 0};
  char* const bytes = arena.take(size_t(size));
  const std::string_view all(text.data, size_t(text.size));
  char* out = bytes;
  const auto append = [&](const char* from, size_t n) {
    std::memcpy(out, from, n);
    out += n;
  };
  for (size_t from = 0;;) {
    const size_t at = find_bytes(all, to.old, from);
    if (at == std::string_view::npos) {
      append(all.data() + from, all.size() - from);
      return {bytes, size};
    }
    append(all.data() + from, at - from);
    append(to.with.data(), to.with.size());
    from = at + to.old.size();
  }
}

void substitute(Frame& f, const Instruction& in) {
  const auto& to = static_cast<const Substitution&>(*in.prepared);
  Register& r = strict(f, in);
  const View* a = f.reg(in.args[0]).as<View>();
  for (int i = 0; i < f.n; ++i) r.as<View>()[i] = usable(r, i) ? substituted(a[i], to, f.arena) : View{"", 0};
}

void substituted_length(Frame& f, const Instruction& in) {
  const auto& to = static_cast<const Substitution&>(*in.prepared);
  Register& r = strict(f, in);
  const View* a = f.reg(in.args[0]).as<View>();
  for (int i = 0; i < f.n; ++i)
    r.as<int64_t>()[i] = usable(r, i) ? characters(a[i].data, a[i].size) + to.longer * occurrences(a[i], to.old) : 0;
}

}  // namespace

void add_substitute_ops(OpTable& t) {
  t["substitute.str"] = {substitute, Reg::Str, {Reg::Str}, false, prepare};
  t["substituted_length.str"] = {substituted_length, Reg::I64, {Reg::Str}, false, prepare};
}

}  // namespace tableflow::program
