// Bit-packed values for processors with AVX2, eight at a time.
#include <array>
#include <utility>

#include "parquet_rle.h"

#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <immintrin.h>

namespace tableflow::parquet {
namespace {

constexpr int most_bits = 25;  // with the up to 7 bits before it a value lies within four bytes

// Where a lane's value begins in what is loaded for its four, and the four bytes from there on.
constexpr int first_bit(int width, int lane) { return lane < 4 ? lane * width : 4 * width % 8 + (lane - 4) * width; }
constexpr int bytes(int width, int lane) { return 0x03020100 + 0x01010101 * (first_bit(width, lane) / 8); }

// Eight values begin at a byte boundary; four of them come from each of two loads of 16 bytes.
template <int Width> void unpack_32_avx2(const uint8_t* in, uint32_t* out) {
  constexpr int upper = 4 * Width / 8;  // where the second four begin
  const __m256i spread = _mm256_setr_epi32(bytes(Width, 0), bytes(Width, 1), bytes(Width, 2), bytes(Width, 3), bytes(Width, 4),
                                           bytes(Width, 5), bytes(Width, 6), bytes(Width, 7));
  const __m256i shifts = _mm256_setr_epi32(first_bit(Width, 0) % 8, first_bit(Width, 1) % 8, first_bit(Width, 2) % 8,
                                           first_bit(Width, 3) % 8, first_bit(Width, 4) % 8, first_bit(Width, 5) % 8,
                                           first_bit(Width, 6) % 8, first_bit(Width, 7) % 8);
  const __m256i mask = _mm256_set1_epi32((1 << Width) - 1);
  for (int i = 0; i < 32; i += 8, in += Width) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + upper));
    const __m256i each = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), spread);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_and_si256(_mm256_srlv_epi32(each, shifts), mask));
  }
}

template <size_t... Width>
constexpr std::array<Unpack, sizeof...(Width)> make_table(std::index_sequence<Width...>) {
  return {&unpack_32_avx2<int(Width) + 1>...};
}

constexpr auto table = make_table(std::make_index_sequence<most_bits>());

}  // namespace

Unpack wide_unpack_of(int width) {
  static const bool able = __builtin_cpu_supports("avx2");
  return able && width >= 1 && width <= most_bits ? table[size_t(width - 1)] : nullptr;
}
}  // namespace tableflow::parquet
#else
namespace tableflow::parquet {
Unpack wide_unpack_of(int) { return nullptr; }
}  // namespace tableflow::parquet
#endif
