// A pattern's tree as instructions, written from the end to the start, and what is known of where a match may begin.
#include "pattern.h"
#include "pattern_syntax.h"

namespace tableflow {
namespace {

using syntax::CharacterSet;
using syntax::Node;
using syntax::Unknown;

constexpr int MOST_STEPS = 1000, MOST_SPLITS = 64;

struct Firsts {  // what may come next at a place
  bool bytes[256] = {};
  bool end = false;    // nothing: the end of the match, or of the text
  bool asserts = false;  // depends on what is before
};

}  // namespace

class PatternCompiler {
 public:
  PatternCompiler(Pattern& made, uint32_t groups) : steps_(made.steps_), made_(made), groups_(groups) {}

  void compile(const Node& whole) {
    const int match = add(PatternStep::Match, -1);
    Node all;
    all.kind = Node::Group;
    all.parts.push_back(whole);
    made_.start_ = write(all, match);
    find_runs();
    for (PatternStep& step : steps_) {
      if (step.op == PatternStep::Split) step.number = made_.splits_++;
      if (step.op == PatternStep::Run) step.number = made_.runs_++;
      made_.looks_around_ |= step.op == PatternStep::Boundary;
      made_.asserts_ |= step.op == PatternStep::Begin || step.op == PatternStep::End || step.op == PatternStep::Boundary;
    }
    if (made_.splits_ > MOST_SPLITS) throw Unknown{};
    find_starts();
  }

 private:
  int add(PatternStep::Op op, int next) {
    if (steps_.size() >= MOST_STEPS) throw Unknown{};
    PatternStep step;
    step.op = op;
    step.next = next;
    steps_.push_back(std::move(step));
    return int(steps_.size()) - 1;
  }

  int add_split(int first, int second, bool greedy) {
    const int at = add(PatternStep::Split, greedy ? first : second);
    steps_[size_t(at)].other = greedy ? second : first;
    return at;
  }

  int add_save(int slot, int next) {
    if (!(groups_ >> (slot / 2) & 1)) return next;
    const int at = add(PatternStep::Save, next);
    steps_[size_t(at)].other = slot;
    return at;
  }

  int write(const Node& n, int next) {
    switch (n.kind) {
      case Node::Empty: return next;
      case Node::Literal: {
        const int at = add(PatternStep::Literal, next);
        steps_[size_t(at)].literal = n.text;
        return at;
      }
      case Node::Set: return write_set(n.set, next);
      case Node::Begin: return add(PatternStep::Begin, next);
      case Node::End: return add(PatternStep::End, next);
      case Node::Boundary: return add(PatternStep::Boundary, next);
      case Node::Sequence:
        for (size_t i = n.parts.size(); i-- > 0;) next = write(n.parts[i], next);
        return next;
      case Node::Alternatives: {
        int at = write(n.parts.back(), next);
        for (size_t i = n.parts.size() - 1; i-- > 0;) at = add_split(write(n.parts[i], next), at, true);
        return at;
      }
      case Node::Group: return add_save(2 * n.group, write(n.parts[0], add_save(2 * n.group + 1, next)));
      case Node::Repeat: return write_repeat(n, next);
    }
    throw Unknown{};
  }

  int write_set(const CharacterSet& set, int next) {
    const int at = add(PatternStep::Set, next);
    PatternStep& step = steps_[size_t(at)];
    for (int c = 0; c < 256; ++c) step.member[c] = c < 128 ? set.ascii[size_t(c)] : set.others;
    return at;
  }

  int write_repeat(const Node& n, int next) {
    const Node& part = n.parts[0];
    int at = next, copies = n.least;
    if (n.most < 0) {
      const int loop = add_split(-1, next, n.greedy);
      const int body = write(part, loop);
      (n.greedy ? steps_[size_t(loop)].next : steps_[size_t(loop)].other) = body;
      at = n.least > 0 ? body : loop;
      --copies;
    } else {
      for (int i = n.least; i < n.most; ++i) at = add_split(write(part, at), next, n.greedy);
    }
    for (; copies > 0; --copies) at = write(part, at);
    return at;
  }

  // `later`: not at the start of the text, where ^ does not hold.
  void firsts(int at, bool later, std::vector<bool>& seen, Firsts& found) const {
    if (seen[size_t(at)]) return;
    seen[size_t(at)] = true;
    const PatternStep& step = steps_[size_t(at)];
    switch (step.op) {
      case PatternStep::Literal: {
        const auto c = uint8_t(step.literal[0]);
        for (int i = c < 128 ? c : 128; i < (c < 128 ? c + 1 : 256); ++i) found.bytes[i] = true;
        return;
      }
      case PatternStep::Run:
      case PatternStep::Set:
        for (int i = 0; i < 256; ++i) found.bytes[i] |= step.member[i];
        if (step.op == PatternStep::Set) return;
        break;
      case PatternStep::Split: firsts(step.other, later, seen, found); break;
      case PatternStep::Begin:
        found.asserts |= !later;
        return;
      case PatternStep::End:
      case PatternStep::Match: found.end = true; return;
      case PatternStep::Boundary: found.asserts = true; return;
      case PatternStep::Save: break;
    }
    firsts(step.next, later, seen, found);
  }

  Firsts firsts(int at, bool later) const {
    Firsts found;
    std::vector<bool> seen(steps_.size());
    firsts(at, later, seen, found);
    return found;
  }

  // Loops over a class, as many as there are, are runs if giving characters back cannot help what follows.
  void find_runs() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      PatternStep& loop = steps_[i];
      if (loop.op != PatternStep::Split) continue;
      const PatternStep& body = steps_[size_t(loop.next)];
      if (body.op != PatternStep::Set || body.next != int(i)) continue;
      const Firsts behind = firsts(loop.other, false);
      bool apart = !behind.asserts;
      int missing = 0, last = -1;
      for (int c = 0; c < 256; ++c) {
        apart &= !(behind.bytes[c] && body.member[c]);
        if (body.member[c]) continue;
        ++missing;
        last = c;
      }
      if (!apart) continue;
      loop.op = PatternStep::Run;
      loop.next = loop.other;
      for (int c = 0; c < 256; ++c) loop.member[c] = body.member[c];
      loop.only_missing = missing == 1 ? last : -1;
    }
  }

  void find_starts() {
    const Firsts later = firsts(made_.start_, true);
    bool any = false;
    for (int c = 0; c < 256; ++c) any |= made_.first_[c] = later.bytes[c];
    made_.skips_ = !later.end && !later.asserts;
    made_.only_at_start_ = made_.skips_ && !any;
    made_.prefix_ = made_.skips_ && any ? prefix() : "";
  }

  bool impossible_later(int at) const {
    const Firsts found = firsts(at, true);
    bool any = found.end || found.asserts;
    for (const bool c : found.bytes) any |= c;
    return !any;
  }

  std::string prefix() const {
    for (int at = made_.start_;;) {
      const PatternStep& step = steps_[size_t(at)];
      if (step.op == PatternStep::Save) {
        at = step.next;
      } else if (step.op == PatternStep::Split && impossible_later(step.next)) {
        at = step.other;
      } else if (step.op == PatternStep::Split && impossible_later(step.other)) {
        at = step.next;
      } else if (step.op == PatternStep::Literal) {
        return step.literal + literal_behind(step.next);
      } else {
        return "";
      }
    }
  }

  std::string literal_behind(int at) const {
    while (steps_[size_t(at)].op == PatternStep::Save) at = steps_[size_t(at)].next;
    const PatternStep& step = steps_[size_t(at)];
    return step.op == PatternStep::Literal ? step.literal : "";
  }

  std::vector<PatternStep>& steps_;
  Pattern& made_;
  uint32_t groups_;
};

std::unique_ptr<const Pattern> Pattern::compile(std::string_view text, uint32_t groups) {
  auto made = std::make_unique<Pattern>();
  try {
    const Node whole = syntax::parse_pattern(text, made->groups_);
    PatternCompiler(*made, groups).compile(whole);
  } catch (const Unknown&) {
    return nullptr;
  }
  return made;
}

}  // namespace tableflow
