#include "number_set.h"

#include <algorithm>
#include <stdexcept>

#include "gather_rows.h"

namespace tableflow {

namespace {

using namespace rows;

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
