#include "code_filter.h"

#include "parquet_page.h"

namespace tableflow::parquet {
namespace {

[[noreturn]] void outside() { throw Corrupt("a code lies outside the dictionary"); }

}  // namespace

AcceptedEntries::AcceptedEntries(const uint8_t* accepted, uint32_t entries) : entries_(entries), bytes_(size_t(entries) + 4) {
  for (uint32_t i = 0; i < entries; ++i) bytes_[i] = uint8_t(accepted[i] != 0);
  if (entries <= 256)
    for (uint32_t i = 0; i < entries; ++i) bits_[i >> 5] |= uint32_t(bytes_[i]) << (i & 31);
}

bool AcceptedEntries::accepts(uint32_t code) const {
  if (code >= entries_) outside();
  return bytes_[code] != 0;
}

int64_t AcceptedEntries::filter_any(const AcceptedEntries& of, const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places,
                                    uint32_t* kept) {
  uint32_t beyond = 0;
  const uint32_t entries = of.entries_;
  for (int64_t i = 0; i < n; ++i) beyond |= uint32_t(codes[i] >= entries);
  if (beyond) outside();
  const uint8_t* accepted = of.bytes_.data();
  int64_t to = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t code = codes[i];
    places[to] = place + uint32_t(i);
    kept[to] = code;
    to += accepted[code];
  }
  return to;
}

}  // namespace tableflow::parquet

#if defined(__x86_64__)
#pragma GCC target("avx2,popcnt")
#include <immintrin.h>

#include <bit>

#include "eight_lanes.h"

namespace tableflow::parquet {
namespace {

struct InRegister {  // up to 256 entries
  __m256i bits;
  __m256i operator()(__m256i codes) const {
    const __m256i words = _mm256_permutevar8x32_epi32(bits, _mm256_srli_epi32(codes, 5));
    return _mm256_srlv_epi32(words, _mm256_and_si256(codes, _mm256_set1_epi32(31)));
  }
};

struct InMemory {
  const int* bytes;
  __m256i operator()(__m256i codes) const { return _mm256_i32gather_epi32(bytes, codes, 1); }
};

// The lowest bit of what `look` finds says whether a code is accepted.
template <class Look>
int64_t filter_eights(Look look, uint32_t entries, const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places, uint32_t* kept) {
  const __m256i last = _mm256_set1_epi32(int(entries - 1));
  __m256i at = _mm256_add_epi32(_mm256_set1_epi32(int(place)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  __m256i inside = _mm256_set1_epi32(-1);
  int64_t to = 0;
  for (int64_t i = 0; i < n; i += 8) {
    const __m256i given = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i));
    const __m256i some = _mm256_min_epu32(given, last);  // looked up before it is known whether all are those of entries
    inside = _mm256_and_si256(inside, _mm256_cmpeq_epi32(some, given));
    const unsigned set = unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_slli_epi32(look(some), 31))));
    const __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(int64_t(lanes_of[set])));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(places + to), _mm256_permutevar8x32_epi32(at, lanes));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(kept + to), _mm256_permutevar8x32_epi32(some, lanes));
    to += std::popcount(set);
    at = _mm256_add_epi32(at, _mm256_set1_epi32(8));
  }
  if (_mm256_movemask_epi8(inside) != -1) outside();
  return to;
}

}  // namespace

int64_t AcceptedEntries::filter_avx2(const AcceptedEntries& of, const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places,
                                     uint32_t* kept) {
  const uint32_t entries = of.entries_;
  const int64_t eights = entries ? n & ~int64_t(7) : 0;  // what is stored never reaches behind what was loaded
  int64_t to = 0;
  if (eights && entries <= 256) {
    const InRegister look{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(of.bits_))};
    to = filter_eights(look, entries, codes, eights, place, places, kept);
  } else if (eights && entries <= uint32_t(INT32_MAX)) {
    to = filter_eights(InMemory{reinterpret_cast<const int*>(of.bytes_.data())}, entries, codes, eights, place, places, kept);
  } else {
    return filter_any(of, codes, n, place, places, kept);
  }
  return to + filter_any(of, codes + eights, n - eights, place + uint32_t(eights), places + to, kept + to);
}

int64_t AcceptedEntries::filter(const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places, uint32_t* kept) const {
  static const Kernel kernel = __builtin_cpu_supports("avx2") ? filter_avx2 : filter_any;
  return kernel(*this, codes, n, place, places, kept);
}
}  // namespace tableflow::parquet
#else
namespace tableflow::parquet {
int64_t AcceptedEntries::filter(const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places, uint32_t* kept) const {
  return filter_any(*this, codes, n, place, places, kept);
}
}  // namespace tableflow::parquet
#endif
