#include "number_set.h"

#include <algorithm>
#include <stdexcept>

#include "gather_rows.h"

namespace tableflow {

namespace {

using namespace rows;

// The same eight numbers at a time, or -1 if they or the processor are not of the kind.
int64_t among_eights(const Vector& v, const NumberRange& range, uint32_t* out);

template <bool Mapped, bool Nullable, class T> int64_t among(const Vector& v, const NumberRange& range, uint32_t* out) {
  const T* values = v.values<T>();
  const uint64_t extent = uint64_t(range.high) - uint64_t(range.low);
  const uint64_t ahead = uint64_t(range.low) - uint64_t(range.first);
  int64_t found = 0;
  for (int64_t i = 0; i < v.length; ++i) {
    // below the lowest value the distance is huge without a sign, so one comparison finds all that lie outside
    const uint64_t distance = uint64_t(int64_t(load_value(values + i))) - uint64_t(range.low);
    uint64_t kept = distance <= extent;
    if constexpr (Mapped) {
      const uint64_t place = (kept ? distance : 0) + ahead;
      kept &= range.bits[place >> 6] >> (place & 63);
    }
    if constexpr (Nullable) kept &= uint64_t(v.valid(i));
    out[found] = uint32_t(i);
    found += int64_t(kept & 1);
  }
  return found;
}

template <class T> int64_t among(const Vector& v, const NumberRange& range, uint32_t* out) {
  if (const int64_t found = among_eights(v, range, out); found >= 0) return found;
  if (v.has_nulls()) return range.bits ? among<true, true, T>(v, range, out) : among<false, true, T>(v, range, out);
  return range.bits ? among<true, false, T>(v, range, out) : among<false, false, T>(v, range, out);
}

}  // namespace

BufferPtr number_bits(std::span<const int64_t> values, int64_t first, int64_t span) {
  const size_t bytes = (size_t(span) + 63) / 64 * 8;
  auto buffer = std::make_shared<Buffer>(bytes);
  uint64_t* words = buffer->as<uint64_t>();
  std::fill_n(words, bytes / 8, 0);
  for (const int64_t value : values) {
    const uint64_t place = uint64_t(value) - uint64_t(first);
    if (place >= uint64_t(span)) throw std::out_of_range("a number lies outside its span");
    words[place >> 6] |= uint64_t(1) << (place & 63);
  }
  return buffer;
}

int64_t rows_among(const Vector& integers, const NumberRange& range, uint32_t* out) {
  if (range.low > range.high) return 0;
  switch (integers.kind) {
    case Kind::I8: return among<int8_t>(integers, range, out);
    case Kind::I16: return among<int16_t>(integers, range, out);
    case Kind::I32: return among<int32_t>(integers, range, out);
    case Kind::I64: return among<int64_t>(integers, range, out);
    default: throw std::invalid_argument("numbers of at most 64 bits are looked up");
  }
}

}  // namespace tableflow

#if defined(__x86_64__)
#pragma GCC target("avx2,popcnt")
#include <immintrin.h>

#include <bit>

#include "eight_lanes.h"

namespace tableflow {
namespace {

// The lower halves of the lanes of both, in order.
inline __m256i halves(__m256i a, __m256i b) {
  const __m256 mixed = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
  return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xd8);
}

inline __m256i four(const int64_t* values) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)); }
inline __m256i four(const int32_t* values) {
  return _mm256_cvtepi32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
}
inline unsigned signs(__m256i of) { return unsigned(_mm256_movemask_pd(_mm256_castsi256_pd(of))); }

// Rows [0, n), a multiple of eight, of which none is NULL.
template <bool Mapped, class T> int64_t eights(const T* values, int64_t n, const NumberRange& range, uint32_t* out) {
  const __m256i low = _mm256_set1_epi64x(range.low), sign = _mm256_set1_epi64x(INT64_MIN);
  const __m256i extent = _mm256_set1_epi64x(int64_t((uint64_t(range.high) - uint64_t(range.low)) ^ uint64_t(INT64_MIN)));
  const __m256i ahead = _mm256_set1_epi64x(int64_t(uint64_t(range.low) - uint64_t(range.first)));
  __m256i at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  int64_t found = 0;
  for (int64_t i = 0; i < n; i += 8) {
    const __m256i a = _mm256_sub_epi64(four(values + i), low), b = _mm256_sub_epi64(four(values + i + 4), low);
    // compared without a sign, as the loop for any processor does it
    const __m256i a_out = _mm256_cmpgt_epi64(_mm256_xor_si256(a, sign), extent);
    const __m256i b_out = _mm256_cmpgt_epi64(_mm256_xor_si256(b, sign), extent);
    unsigned set = (signs(a_out) | signs(b_out) << 4) ^ 0xff;
    if constexpr (Mapped) {
      const __m256i a_place = _mm256_add_epi64(_mm256_andnot_si256(a_out, a), ahead);
      const __m256i b_place = _mm256_add_epi64(_mm256_andnot_si256(b_out, b), ahead);
      const __m256i words = halves(_mm256_srli_epi64(a_place, 5), _mm256_srli_epi64(b_place, 5));
      const __m256i place = _mm256_and_si256(halves(a_place, b_place), _mm256_set1_epi32(31));
      const __m256i bits = _mm256_srlv_epi32(_mm256_i32gather_epi32(reinterpret_cast<const int*>(range.bits), words, 4), place);
      set &= unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_slli_epi32(bits, 31))));
    }
    const __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(int64_t(lanes_of[set])));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + found), _mm256_permutevar8x32_epi32(at, lanes));
    found += std::popcount(set);
    at = _mm256_add_epi32(at, _mm256_set1_epi32(8));
  }
  return found;
}

template <class T> int64_t all_among(const Vector& v, const NumberRange& range, uint32_t* out) {
  const T* values = v.values<T>();
  const int64_t whole = v.length & ~int64_t(7);  // what is stored never reaches behind what was loaded
  int64_t found = range.bits ? eights<true>(values, whole, range, out) : eights<false>(values, whole, range, out);
  for (int64_t i = whole; i < v.length; ++i) {
    const int64_t value = values[i];
    if (value < range.low || value > range.high) continue;
    const uint64_t place = uint64_t(value) - uint64_t(range.first);
    if (!range.bits || (range.bits[place >> 6] >> (place & 63) & 1)) out[found++] = uint32_t(i);
  }
  return found;
}

int64_t among_eights(const Vector& v, const NumberRange& range, uint32_t* out) {
  static const bool able = __builtin_cpu_supports("avx2");
  // a word of the map is found by 32 bits with a sign
  const bool reached = !range.bits || uint64_t(range.high) - uint64_t(range.first) < uint64_t(1) << 36;
  if (!able || !reached || v.has_nulls()) return -1;
  if (v.kind == Kind::I64) return all_among<int64_t>(v, range, out);
  return v.kind == Kind::I32 ? all_among<int32_t>(v, range, out) : -1;
}

}  // namespace
}  // namespace tableflow
#else
namespace tableflow {
namespace {
int64_t among_eights(const Vector&, const NumberRange&, uint32_t*) { return -1; }
}  // namespace
}  // namespace tableflow
#endif
