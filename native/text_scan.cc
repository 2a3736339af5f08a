#include "text_scan.h"

#include <cstring>

namespace tableflow {

int64_t count_byte(const uint8_t* p, int64_t size, uint8_t byte) {
  int64_t found = 0, i = 0;
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi8(char(byte));
  while (i + 16 <= size) {
    __m128i counts = _mm_setzero_si128();  // sixteen counts of at most 255
    for (const int64_t until = i + 16 * 255; i + 16 <= size && i < until; i += 16)
      counts = _mm_sub_epi8(counts, _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i)), wanted));
    const __m128i sums = _mm_sad_epu8(counts, _mm_setzero_si128());
    found += _mm_cvtsi128_si64(sums) + _mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
  }
#endif
  for (; i < size; ++i) found += p[i] == byte;
  return found;
}

namespace {

// Bytes of the character at p with `left` bytes behind it, or 0 if it is none (Unicode 15, table 3-7).
int character(const uint8_t* p, int64_t left) {
  const uint8_t lead = p[0];
  const int more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
  if (more < 0 || left <= more) return 0;
  uint8_t low = 0x80, high = 0xbf;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  if (more && (p[1] < low || p[1] > high)) return 0;
  for (int i = 2; i <= more; ++i)
    if ((p[i] & 0xc0) != 0x80) return 0;
  return more + 1;
}

}  // namespace

bool is_utf8(const uint8_t* p, int64_t size) {
  int64_t i = 0;
  while (i < size) {
    while (i + 32 <= size) {
      uint64_t words[4];
      std::memcpy(words, p + i, 32);
      if ((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u) break;
      i += 32;
    }
    for (const int64_t until = i + 32 < size ? i + 32 : size; i < until;) {
      const int bytes = character(p + i, size - i);
      if (!bytes) return false;
      i += bytes;
    }
  }
  return true;
}

}  // namespace tableflow
