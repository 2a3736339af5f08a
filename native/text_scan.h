// Looking for bytes in text sixteen at a time (SSE2, which every x86-64 has; elsewhere byte by byte).
//
// Whoever calls sees to it that sixteen bytes may be read from wherever a scan may stop.
#pragma once

#include <cstdint>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace tableflow {

// The first quote, backslash or control character.
inline const uint8_t* text_end(const uint8_t* p) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
  for (;; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
    const __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)), low);
    if (const int mask = _mm_movemask_epi8(found)) return p + __builtin_ctz(unsigned(mask));
  }
#else
  while (*p != '"' && *p != '\\' && *p >= 0x20) ++p;
  return p;
#endif
}

// The first of three bytes.
inline const uint8_t* first_of(const uint8_t* p, uint8_t a, uint8_t b, uint8_t c) {
#ifdef __SSE2__
  const __m128i first = _mm_set1_epi8(char(a)), second = _mm_set1_epi8(char(b)), third = _mm_set1_epi8(char(c));
  for (;; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i found =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, first), _mm_cmpeq_epi8(bytes, second)), _mm_cmpeq_epi8(bytes, third));
    if (const int mask = _mm_movemask_epi8(found)) return p + __builtin_ctz(unsigned(mask));
  }
#else
  while (*p != a && *p != b && *p != c) ++p;
  return p;
#endif
}

// The first place of a byte before `end`; null if it is not there.
inline const uint8_t* first_byte(const uint8_t* p, const uint8_t* end, uint8_t byte) {
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi8(char(byte));
  for (; p < end; p += 16) {
    const __m128i found = _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), wanted);
    if (const int mask = _mm_movemask_epi8(found)) {
      p += __builtin_ctz(unsigned(mask));
      return p < end ? p : nullptr;
    }
  }
#else
  for (; p < end; ++p)
    if (*p == byte) return p;
#endif
  return nullptr;
}

// How often a byte is in a text of any length.
int64_t count_byte(const uint8_t* p, int64_t size, uint8_t byte);
// Whether bytes are UTF-8 as Unicode defines it: shortest forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(const uint8_t* p, int64_t size);

}  // namespace tableflow
