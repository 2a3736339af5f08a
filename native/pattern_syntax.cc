#include "pattern_syntax.h"

#include <optional>

#include "pattern.h"

namespace tableflow::syntax {
namespace {

constexpr int MOST_REPETITIONS = 100, MOST_DEPTH = 50;

bool may_be_empty(const Node& n) {
  switch (n.kind) {
    case Node::Literal:
    case Node::Set: return false;
    case Node::Sequence: {
      for (const Node& part : n.parts)
        if (!may_be_empty(part)) return false;
      return true;
    }
    case Node::Alternatives: {
      for (const Node& part : n.parts)
        if (may_be_empty(part)) return true;
      return false;
    }
    case Node::Repeat: return n.least == 0 || may_be_empty(n.parts[0]);
    case Node::Group: return may_be_empty(n.parts[0]);
    default: return true;
  }
}

void add_range(CharacterSet& set, int from, int to) {
  for (int c = from; c <= to; ++c) set.ascii.set(size_t(c));
}

// The class of \d, \s, \w or their opposites.
std::optional<CharacterSet> named_class(char c) {
  CharacterSet set;
  switch (c | 0x20) {
    case 'd': add_range(set, '0', '9'); break;
    case 's':
      for (const char space : {'\t', '\n', '\f', '\r', ' '}) set.ascii.set(size_t(space));
      break;
    case 'w':
      add_range(set, '0', '9');
      add_range(set, 'A', 'Z');
      add_range(set, 'a', 'z');
      set.ascii.set('_');
      break;
    default: return std::nullopt;
  }
  if (c < 'a') set.invert();
  return set;
}

// The character that an escape stands for, of those that stand for one.
int escaped(char c) {
  switch (c) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'f': return '\f';
    case 'r': return '\r';
    case 'v': return '\v';
    case 'a': return '\a';
    default: break;
  }
  const auto u = uint8_t(c);
  const bool letter = (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_';
  if (letter || u >= 0x80 || u < 0x20) throw Unknown{};
  return u;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (text_.substr(0, 4) == "(?s)") {
      dot_.others = true;
      dot_.ascii.set();
      at_ = 4;
    } else {
      dot_.ascii.set('\n');
      dot_.invert();
    }
  }

  Node whole() {
    Node made = alternatives();
    if (at_ != text_.size()) throw Unknown{};
    return made;
  }
  int groups() const { return groups_; }

 private:
  bool more() const { return at_ < text_.size(); }
  char peek() const { return text_[at_]; }
  char take() {
    if (!more()) throw Unknown{};
    return text_[at_++];
  }
  bool accept(char c) {
    if (!more() || peek() != c) return false;
    ++at_;
    return true;
  }

  Node alternatives() {
    if (++depth_ > MOST_DEPTH) throw Unknown{};
    Node made = sequence();
    if (more() && peek() == '|') {
      Node all;
      all.kind = Node::Alternatives;
      all.parts.push_back(std::move(made));
      while (accept('|')) all.parts.push_back(sequence());
      made = std::move(all);
    }
    --depth_;
    return made;
  }

  Node sequence() {
    Node made;
    made.kind = Node::Sequence;
    bool joins = false;  // the last part is a literal that others may follow
    while (more() && peek() != '|' && peek() != ')') {
      Node part = atom();
      const bool repeated = repetition(part);
      if (joins && !repeated && part.kind == Node::Literal) made.parts.back().text += part.text;
      else made.parts.push_back(std::move(part));
      joins = !repeated && made.parts.back().kind == Node::Literal;
    }
    return made;
  }

  Node atom() {
    Node made;
    const char c = take();
    switch (c) {
      case '(': return group();
      case '[': return bracket();
      case '.': return of_set(dot_);
      case '^': made.kind = Node::Begin; return made;
      case '$': made.kind = Node::End; return made;
      case '\\': return escape();
      case '*': case '+': case '?': case '{': case '}': case ']': throw Unknown{};
      default: break;
    }
    made.kind = Node::Literal;
    made.text = c;
    while (uint8_t(c) >= 0x80 && more() && (uint8_t(peek()) & 0xC0) == 0x80) made.text += take();
    return made;
  }

  Node group() {
    Node made;
    if (accept('?')) {
      if (take() != ':') throw Unknown{};
      made = alternatives();
    } else {
      made.kind = Node::Group;
      made.group = ++groups_;
      if (groups_ >= PATTERN_GROUPS) throw Unknown{};
      made.parts.push_back(alternatives());
    }
    if (take() != ')') throw Unknown{};
    return made;
  }

  static Node of_set(const CharacterSet& set) {
    Node made;
    made.kind = Node::Set;
    made.set = set;
    return made;
  }

  Node escape() {
    const char c = take();
    if (const auto set = named_class(c)) return of_set(*set);
    Node made;
    made.kind = c == 'A' ? Node::Begin : c == 'z' ? Node::End : c == 'b' ? Node::Boundary : Node::Literal;
    if (made.kind == Node::Literal) made.text = char(escaped(c));
    return made;
  }

  Node bracket() {
    CharacterSet set;
    const bool negated = accept('^');
    for (bool first = true; first || peek_inside() != ']'; first = false) {
      if (peek_inside() == '\\' && at_ + 1 < text_.size()) {
        if (const auto named = named_class(text_[at_ + 1])) {
          at_ += 2;
          set.ascii |= named->ascii;
          set.others |= named->others;
          if (more() && peek() == '-' && text_.substr(at_, 2) != "-]") throw Unknown{};
          continue;
        }
      }
      if (peek_inside() == '-' && !first && text_.substr(at_, 2) != "-]") throw Unknown{};
      const int low = member();
      int high = low;
      if (more() && peek() == '-' && text_.substr(at_, 2) != "-]") {
        ++at_;
        high = member();
        if (high < low) throw Unknown{};
      }
      add_range(set, low, high);
    }
    ++at_;
    if (negated) set.invert();
    return of_set(set);
  }

  char peek_inside() const {
    if (!more()) throw Unknown{};
    return peek();
  }

  int member() {
    const char c = take();
    if (uint8_t(c) >= 0x80 || (c == '[' && more() && peek() == ':')) throw Unknown{};
    if (c != '\\') return c;
    return escaped(take());
  }

  int number() {
    int value = -1;
    while (more() && peek() >= '0' && peek() <= '9') {
      value = (value < 0 ? 0 : value) * 10 + (take() - '0');
      if (value > MOST_REPETITIONS) throw Unknown{};
    }
    return value;
  }

  // Makes a repetition of the part if one is written behind it.
  bool repetition(Node& part) {
    int least = 0, most = -1;
    if (accept('+')) {
      least = 1;
    } else if (accept('?')) {
      most = 1;
    } else if (accept('{')) {
      least = most = number();
      if (accept(',')) most = number();
      if (least < 0 || (most >= 0 && most < least) || most == 0 || take() != '}') throw Unknown{};
    } else if (!accept('*')) {
      return false;
    }
    if (may_be_empty(part)) throw Unknown{};
    Node made;
    made.kind = Node::Repeat;
    made.least = least;
    made.most = most;
    made.greedy = !accept('?');
    if (more() && (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{')) throw Unknown{};
    made.parts.push_back(std::move(part));
    part = std::move(made);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
  int groups_ = 0, depth_ = 0;
  CharacterSet dot_;
};

}  // namespace

Node parse_pattern(std::string_view text, int& groups) {
  Parser parser(text);
  Node made = parser.whole();
  groups = parser.groups();
  return made;
}

}  // namespace tableflow::syntax
