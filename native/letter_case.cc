#include "letter_case.h"

#include <algorithm>
#include <span>

#include "letter_case_table.h"

namespace tableflow {
namespace {

uint32_t changed(uint32_t c, bool capital) {
  const auto ranges = capital ? std::span<const CaseRange>(TO_CAPITAL) : std::span<const CaseRange>(TO_SMALL);
  const auto found = std::partition_point(ranges.begin(), ranges.end(), [c](const CaseRange& r) { return r.last < c; });
  if (found == ranges.end() || c < found->first || (c - found->first) % found->step) return c;
  return c + uint32_t(found->by);
}

uint32_t changed_ascii(uint32_t c, bool capital) {
  const uint32_t from = capital ? 'a' : 'A';
  return c - from < 26 ? c ^ 0x20 : c;
}

// The bytes of the character beyond ASCII that begins here; 1 for what is none, as a file that was not checked may have.
int64_t width(const uint8_t* p, const uint8_t* end) {
  const int64_t size = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : *p >= 0xC0 ? 2 : 1;
  if (size > end - p) return 1;
  for (int64_t i = 1; i < size; ++i)
    if ((p[i] & 0xC0) != 0x80) return 1;
  return size;
}

uint32_t decode(const uint8_t*& p, int64_t size) {
  const int more = int(size) - 1;
  uint32_t c = *p++ & (0x3Fu >> more);
  for (int i = 0; i < more; ++i) c = c << 6 | (*p++ & 0x3F);
  return c;
}

char* encode(uint32_t c, char* to) {
  if (c < 0x80) {
    *to++ = char(c);
    return to;
  }
  const int more = c >= 0x10000 ? 3 : c >= 0x800 ? 2 : 1;
  *to++ = char((0xFF00u >> (more + 1) & 0xFF) | c >> (6 * more));
  for (int i = more - 1; i >= 0; --i) *to++ = char(0x80 | (c >> (6 * i) & 0x3F));
  return to;
}

}  // namespace

bool change_ascii_case(std::string_view text, bool capital, char* to) {
  uint8_t all = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = uint8_t(text[i]);
    all |= c;
    to[i] = char(changed_ascii(c, capital));
  }
  return all < 0x80;
}

int64_t change_case(std::string_view text, bool capital, char* to) {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  char* at = to;
  for (const uint8_t* end = p + text.size(); p < end;) {
    const int64_t size = *p < 0x80 ? 0 : width(p, end);
    if (size == 0) *at++ = char(changed_ascii(*p++, capital));
    else if (size == 1) *at++ = char(*p++);
    else at = encode(changed(decode(p, size), capital), at);
  }
  return at - to;
}

}  // namespace tableflow
