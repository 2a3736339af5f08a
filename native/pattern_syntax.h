// A pattern's text as a tree.
//
// What is not known for certain to mean the same to RE2 is refused: flags but a leading (?s), names of groups, characters beyond ASCII in
// classes, repetitions of what may be empty, \B, properties of characters.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace tableflow::syntax {

struct Unknown {};  // thrown for what is refused

struct CharacterSet {
  std::bitset<128> ascii;
  bool others = false;  // every character beyond ASCII
  void invert() {
    ascii.flip();
    others = !others;
  }
};

struct Node {
  enum Kind { Empty, Literal, Set, Begin, End, Boundary, Sequence, Alternatives, Repeat, Group } kind = Empty;
  std::string text;
  CharacterSet set;
  std::vector<Node> parts;
  int least = 0, most = -1;  // Repeat; -1: without end
  bool greedy = true;
  int group = 0;
};

// The tree, and how many groups are in it; throws Unknown.
Node parse_pattern(std::string_view text, int& groups);

}  // namespace tableflow::syntax
