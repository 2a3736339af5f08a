#include "program_like.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tableflow::program {

// Blocks of 16 positions whose first and last byte agree are compared in full (W. Mula, "SIMD-friendly algorithms for substring
// searching").
size_t find_bytes(std::string_view haystack, std::string_view needle, size_t from) {
  const size_t k = needle.size();
  if (haystack.size() < k || from > haystack.size() - k) return std::string_view::npos;
  size_t i = from;
#if defined(__SSE2__)
  const __m128i first = _mm_set1_epi8(needle.front());
  const __m128i last = _mm_set1_epi8(needle.back());
  const char* h = haystack.data();
  for (; i + k - 1 + 16 <= haystack.size(); i += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(h + i));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(h + i + k - 1));
    auto hits = unsigned(_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last))));
    for (; hits; hits &= hits - 1) {
      const size_t at = i + size_t(__builtin_ctz(hits));
      if (k <= 2 || std::memcmp(h + at + 1, needle.data() + 1, k - 2) == 0) return at;
    }
  }
#endif
  for (; i + k <= haystack.size(); ++i)
    if (haystack[i] == needle.front() && std::memcmp(haystack.data() + i, needle.data(), k) == 0) return i;
  return std::string_view::npos;
}

namespace {

bool continues(char c) { return (uint8_t(c) & 0xC0) == 0x80; }  // not the first byte of a character

}  // namespace

Like::Like(std::string_view pattern, std::string_view escape) {
  segments_.push_back({{""}});
  for (size_t i = 0; i < pattern.size();) {
    if (!escape.empty() && pattern.substr(i, escape.size()) == escape) {
      i += escape.size();
      if (i >= pattern.size()) throw std::invalid_argument("LIKE pattern ends with its escape character");
      segments_.back().parts.back() += pattern[i++];
    } else if (pattern[i] == '%') {
      segments_.push_back({{""}});
      ++i;
    } else if (pattern[i] == '_') {
      segments_.back().parts.push_back("");
      ++i;
    } else {
      segments_.back().parts.back() += pattern[i++];
    }
  }
  for (const Segment& segment : segments_)
    for (const std::string& part : segment.parts)
      if (part.size() > needle_.size()) needle_ = part;
  if (segments_.front().parts.front() != "") needle_.clear();  // what is anchored at the start is decided there
}

void Like::match_all(const View* strings, int n, uint8_t* out) const {
  bool adjacent = needle_.size() >= 2;
  for (int i = 0; i + 1 < n; ++i) adjacent &= strings[i].data + strings[i].size == strings[i + 1].data;
  if (adjacent && n > 0) return search(strings, n, out);
  for (int i = 0; i < n; ++i) out[i] = matches(strings[i]);
}

void Like::search(const View* strings, int n, uint8_t* out) const {
  std::memset(out, 0, size_t(n));
  const char* begin = strings[0].data;
  const std::string_view all(begin, size_t(strings[n - 1].data + strings[n - 1].size - begin));
  int i = 0;
  for (size_t at = 0; (at = find_bytes(all, needle_, at)) != std::string_view::npos;) {
    while (size_t(strings[i].data + strings[i].size - begin) <= at) ++i;
    const auto end = size_t(strings[i].data + strings[i].size - begin);
    if (at + needle_.size() > end) {  // half of it belongs to the next string
      ++at;
      continue;
    }
    out[i] = matches(strings[i]);
    at = end;
  }
}

// End of the segment's match at `at`, or npos.
size_t Like::match_at(const Segment& segment, std::string_view s, size_t at) {
  for (size_t p = 0; p < segment.parts.size(); ++p) {
    if (p > 0) {
      if (at >= s.size()) return std::string_view::npos;
      for (++at; at < s.size() && continues(s[at]);) ++at;
    }
    const std::string& part = segment.parts[p];
    if (s.size() - at < part.size() || std::memcmp(s.data() + at, part.data(), part.size()) != 0) return std::string_view::npos;
    at += part.size();
  }
  return at;
}

size_t Like::find(const Segment& segment, std::string_view s, size_t from, size_t* end) {
  const std::string& lead = segment.parts.front();
  for (size_t at = from; at <= s.size(); ++at) {
    if (!lead.empty()) {
      at = find_bytes(s, lead, at);
      if (at == std::string_view::npos) return at;
    } else if (at < s.size() && continues(s[at])) {
      continue;
    }
    *end = segment.plain() ? at + lead.size() : match_at(segment, s, at);
    if (*end != std::string_view::npos) return at;
  }
  return std::string_view::npos;
}

// Whether the segment matches at the very end, not before `from`.
bool Like::match_end(const Segment& segment, std::string_view s, size_t from) {
  if (segment.plain()) {
    const std::string& tail = segment.parts.front();
    return s.size() - from >= tail.size() && s.substr(s.size() - tail.size()) == tail;
  }
  for (size_t at = from; at <= s.size(); ++at) {
    if (at < s.size() && continues(s[at])) continue;
    if (match_at(segment, s, at) == s.size()) return true;
  }
  return false;
}

bool Like::matches(std::string_view s) const {
  size_t at = match_at(segments_.front(), s, 0);
  if (at == std::string_view::npos) return false;
  if (segments_.size() == 1) return at == s.size();
  for (size_t i = 1; i + 1 < segments_.size(); ++i) {
    size_t end = at;
    if (find(segments_[i], s, at, &end) == std::string_view::npos) return false;
    at = end;
  }
  return match_end(segments_.back(), s, at);
}

}  // namespace tableflow::program
