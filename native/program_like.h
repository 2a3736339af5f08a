// LIKE as a list of literal segments; `_` is one UTF-8 character, `%` any number.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "program.h"

namespace tableflow::program {

class Like : public Prepared {
 public:
  // `escape` is empty or one character (its bytes); std::invalid_argument for a dangling escape.
  Like(std::string_view pattern, std::string_view escape);
  bool matches(std::string_view s) const;
  // Whether each of n strings matches.  Strings that lie side by side are searched as one for the pattern's longest literal.
  void match_all(const View* strings, int n, uint8_t* out) const;

 private:
  struct Segment {                  // literals with single-character gaps between them
    std::vector<std::string> parts; // parts.size() - 1 gaps; parts may be empty
    bool plain() const { return parts.size() == 1; }
  };
  static size_t match_at(const Segment& segment, std::string_view s, size_t at);
  static size_t find(const Segment& segment, std::string_view s, size_t from, size_t* end);
  static bool match_end(const Segment& segment, std::string_view s, size_t from);
  void search(const View* strings, int n, uint8_t* out) const;
  std::vector<Segment> segments_;
  std::string needle_;   // a literal that every match contains
};

// First occurrence of a non-empty needle at or after `from`, or npos.
size_t find_bytes(std::string_view haystack, std::string_view needle, size_t from);

}  // namespace tableflow::program
