#include "coarser.h"

#include <algorithm>
#include <stdexcept>

#include "gather_rows.h"
#include "reciprocal.h"

namespace tableflow {

namespace {

bool fits_already(const Vector& times, const Reciprocal& by) {
  constexpr int64_t kTogether = 1024;
  const int64_t* values = times.values<int64_t>();
  for (int64_t i = 0; i < times.length;) {
    int64_t rest = 0;
    for (const int64_t end = std::min(times.length, i + kTogether); i < end; ++i) rest |= by.rest(rows::load_value(values + i));
    if (rest) return false;
  }
  return true;
}

}  // namespace

VectorPtr coarser(const VectorPtr& times, int64_t quotient, int64_t factor, std::string format) {
  if (times->kind != Kind::I64 || quotient < 1 || factor < 1) throw std::invalid_argument("only times can have fewer digits");
  const Reciprocal by(quotient);
  if (quotient == factor && fits_already(*times, by)) {
    auto same = std::make_shared<Vector>(*times);
    same->format = std::move(format);
    return same;
  }
  const int64_t n = times->length;
  auto data = std::make_shared<Buffer>(size_t(n) * 8);
  auto* out = data->as<int64_t>();
  const int64_t* values = times->values<int64_t>();
  const int64_t least = INT64_MIN / factor;
  int64_t beyond = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t value = rows::load_value(values + i), whole = by.quotient(value) - (by.rest(value) < 0);
    beyond |= whole < least && times->valid(i);
    out[i] = int64_t(uint64_t(whole) * uint64_t(factor));
  }
  if (beyond) throw std::range_error("a time is out of range");
  BufferPtr validity;
  if (times->validity) {
    validity = rows::zeroed_bits(n);
    rows::copy_bits(validity->data(), 0, times->validity, times->offset, n);
  }
  return make_fixed(Kind::I64, std::move(format), n, std::move(data), std::move(validity), times->null_count);
}

}  // namespace tableflow
