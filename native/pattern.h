// Regular expressions of RE2's syntax, as far as it is common: literals, classes of ASCII characters, groups, alternatives,
// repetitions, anchors and word boundaries.  What a pattern matches, and its groups, are those that RE2 finds.
//
// A pattern is a list of instructions over bytes.  Those for repetitions and alternatives are tried in order; a choice that has failed at a
// place is not tried there again (as in RE2's BitState), so that the time is bounded by instructions times bytes.  Runs of a class behind which
// nothing of the class can follow are taken whole, and where the last one ended is remembered for those that begin inside of it.  A search
// skips to where the text that every match begins with is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tableflow {

constexpr int PATTERN_GROUPS = 10;  // the whole match and those that a replacement can name

struct PatternStep {
  // Run: any number of a class's characters, as many as there are, for good.  Split: `next`, else `other`.
  enum Op : uint8_t { Literal, Set, Run, Split, Save, Begin, End, Boundary, Match } op = Match;
  int next = -1;
  int other = -1;        // Split: the second choice, Save: the slot
  int number = -1;       // Split, Run: its number among its like
  std::string literal;
  bool member[256] = {};  // Set, Run: bytes; those of characters beyond ASCII all alike
  int only_missing = -1;  // Run: the one byte that ends it, if it is the only one
};

struct PatternSpan {
  int64_t begin = -1, end = -1;
  bool found() const { return end >= 0; }
};

// What a search needs besides; kept by whoever searches many texts.
struct PatternScratch {
  struct Job {
    int step;    // or, negative, the complement of a slot
    int64_t at;  // to go on from, or what the slot was
  };
  std::vector<Job> jobs;
  std::vector<uint64_t> failed;
  std::vector<PatternSpan> runs;  // the last one of each Run
  int64_t slots[2 * PATTERN_GROUPS];
};

class Pattern {
 public:
  // Null for what is not known here, among it everything that is wrong.  `groups`: bits of those that are to be told, 1 for the whole.
  static std::unique_ptr<const Pattern> compile(std::string_view text, uint32_t groups);
  // The leftmost match; spans of groups that were not asked for, or had no part in it, are not found.
  bool search(std::string_view text, PatternScratch& scratch, PatternSpan spans[PATTERN_GROUPS]) const;
  int groups() const { return groups_; }
  // Whether it has boundaries, which depend on what is beside a match.
  bool looks_around() const { return looks_around_; }
  // Whether a match is also one of nothing but its own text, with the same groups.
  bool same_alone(std::string_view text, const PatternSpan& whole) const {
    return !asserts_ || (whole.begin == 0 && whole.end == int64_t(text.size()));
  }

 private:
  friend class PatternCompiler;
  bool match(std::string_view text, int64_t at, PatternScratch& scratch) const;
  int64_t candidate(std::string_view text, int64_t from) const;

  std::vector<PatternStep> steps_;
  int start_ = 0, groups_ = 0, splits_ = 0, runs_ = 0;
  bool asserts_ = false;        // has anchors or boundaries
  bool looks_around_ = false;
  bool only_at_start_ = false;
  bool skips_ = false;          // later matches begin with a byte of `first_`
  bool first_[256] = {};
  std::string prefix_;          // what matches that are not at the start begin with, if it is one text
};

}  // namespace tableflow
