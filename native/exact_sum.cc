#include "exact_sum.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tableflow {

namespace {

constexpr double huge_from = 0x1p960, huge_scale = 0x1p-100;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// Adds a value to an expansion of `count` parts (from small to large) with room for one more; the new count.
uint32_t grow(double* parts, uint32_t count, double value) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; ++i) {
    double large = value, small = parts[i];
    if (std::fabs(large) < std::fabs(small)) std::swap(large, small);
    const double sum = large + small, rest = small - (sum - large);
    if (rest != 0.0) parts[kept++] = rest;
    value = sum;
  }
  if (value != 0.0) parts[kept++] = value;
  return kept;
}

void grow(std::vector<double>& parts, double value) {
  const auto count = uint32_t(parts.size());
  parts.push_back(0.0);
  parts.resize(grow(parts.data(), count, value));
}

// The nearest double to the sum of an expansion, halves to even, as in CPython's math.fsum.
double rounded(const double* parts, size_t count) {
  if (count == 0) return 0.0;
  double high = parts[--count], low = 0.0;
  while (count > 0) {
    const double large = high, small = parts[--count];
    high = large + small;
    low = small - (high - large);
    if (low != 0.0) break;
  }
  if (count > 0 && ((low < 0.0 && parts[count - 1] < 0.0) || (low > 0.0 && parts[count - 1] > 0.0))) {
    const double twice = low * 2.0, sum = high + twice;
    if (twice == sum - high) high = sum;
  }
  return high;
}

}  // namespace

ExactSum::List& ExactSum::list_of(Entry& entry) {
  if (entry.list) return lists_[entry.list - 1];
  if (unused_.empty()) {
    lists_.emplace_back();
    unused_.push_back(uint32_t(lists_.size()));
  }
  entry.list = unused_.back();
  unused_.pop_back();
  List& list = lists_[entry.list - 1];
  list.parts.assign(entry.parts, entry.parts + entry.count);
  entry.count = 0;
  return list;
}

// A sum that has become short again needs no list.
void ExactSum::give_back(Entry& entry) {
  List& list = lists_[entry.list - 1];
  if (list.parts.size() > inline_parts || !list.huge.empty() || list.nan || list.positive || list.negative) return;
  entry.count = uint32_t(list.parts.size());
  std::copy(list.parts.begin(), list.parts.end(), entry.parts);
  list.parts = {};
  unused_.push_back(entry.list);
  entry.list = 0;
}

void ExactSum::add_once(Entry& entry, double value) {
  if (std::fabs(value) >= huge_from) {
    grow(list_of(entry).huge, value * huge_scale);
    give_back(entry);
    return;
  }
  if (!entry.list) {
    double parts[inline_parts + 1];
    std::copy_n(entry.parts, entry.count, parts);
    const uint32_t count = grow(parts, entry.count, value);
    if (count <= inline_parts) {
      std::copy_n(parts, count, entry.parts);
      entry.count = count;
      return;
    }
    list_of(entry).parts.assign(parts, parts + count);
    return;
  }
  grow(lists_[entry.list - 1].parts, value);
  give_back(entry);
}

void ExactSum::add(uint32_t group, double value, int64_t times) {
  Entry& entry = entries_[group];
  if (times == 1 || times == -1) [[likely]] {
    if (std::isfinite(value)) {
      add_once(entry, times == 1 ? value : -value);
      return;
    }
  }
  if (times == 0) return;
  if (!std::isfinite(value)) {
    List& list = list_of(entry);
    (std::isnan(value) ? list.nan : value > 0 ? list.positive : list.negative) += times;
    give_back(entry);
    return;
  }
  // Powers of two times the value are exact where its magnitude is ordinary.
  uint64_t left = times < 0 ? -uint64_t(times) : uint64_t(times);
  const double signed_value = times < 0 ? -value : value;
  const bool ordinary = std::fabs(value) < 0x1p890;
  for (double power = 1.0; left > 0;) {
    if (ordinary) {
      if (left & 1) add_once(entry, signed_value * power);
      power *= 2.0;
      left >>= 1;
    } else {
      add_once(entry, signed_value);
      --left;
    }
  }
}

void ExactSum::update(const Vector* values, const Lanes& lanes) {
  const Vector& v = *values;
  const bool single = v.kind == Kind::F32;
  if (!single && v.kind != Kind::F64) throw std::invalid_argument("a sum of floats takes floats");
  for (int i = 0; i < lanes.n; ++i) {
    const int64_t row = lanes.base + lanes.index[i];
    add(lanes.groups[i], single ? double(v.values<float>()[row]) : v.values<double>()[row], lanes.weight(i));
  }
}

void ExactSum::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = static_cast<const ExactSum&>(other);
  for (int64_t i = 0; i < moves.n; ++i) {
    const Entry& source = from.entries_[moves.from[i]];
    Entry& entry = entries_[moves.to[i]];
    for (uint32_t part = 0; part < source.count; ++part) add_once(entry, source.parts[part]);
    if (!source.list) continue;
    const List& more = from.lists_[source.list - 1];
    for (const double part : more.parts) add_once(entry, part);
    List& list = list_of(entry);
    for (const double part : more.huge) grow(list.huge, part);
    list.nan += more.nan;
    list.positive += more.positive;
    list.negative += more.negative;
    give_back(entry);
  }
}

bool ExactSum::vacant(int64_t group) const {
  const Entry& entry = entries_[size_t(group)];
  return entry.count == 0 && (!entry.list || lists_[entry.list - 1].empty());
}

double ExactSum::at(int64_t group) const {
  const Entry& entry = entries_[size_t(group)];
  if (!entry.list) return rounded(entry.parts, entry.count);
  const List& list = lists_[entry.list - 1];
  if (list.nan > 0 || (list.positive > 0 && list.negative > 0)) return not_a_number;
  if (list.positive > 0) return infinity;
  if (list.negative > 0) return -infinity;
  if (list.huge.empty()) return rounded(list.parts.data(), list.parts.size());
  std::vector<double> all = list.huge;
  for (const double part : list.parts) grow(all, part * huge_scale);
  return rounded(all.data(), all.size()) / huge_scale;
}

__float128 ExactSum::wide(int64_t group) const {
  const Entry& entry = entries_[size_t(group)];
  __float128 sum = 0;
  for (uint32_t part = 0; part < entry.count; ++part) sum += __float128(entry.parts[part]);
  if (!entry.list) return sum;
  const List& list = lists_[entry.list - 1];
  if (list.nan > 0 || list.positive > 0 || list.negative > 0) return __float128(at(group));
  for (const double part : list.parts) sum += __float128(part);
  for (const double part : list.huge) sum += __float128(part) / __float128(huge_scale);
  return sum;
}

void ExactSum::save(StateWriter& out) const {
  out.put(uint64_t(entries_.size()));
  const auto put = [&](const double* parts, size_t n) {
    out.put(uint32_t(n));
    for (size_t i = 0; i < n; ++i) out.put(parts[i]);
  };
  for (size_t group = 0; group < entries_.size(); ++group) {
    const Entry& entry = entries_[group];
    out.put(bool(entry.list));
    if (!entry.list) {
      put(entry.parts, entry.count);
      continue;
    }
    const List& list = lists_[entry.list - 1];
    put(list.parts.data(), list.parts.size());
    put(list.huge.data(), list.huge.size());
    out.put(list.nan);
    out.put(list.positive);
    out.put(list.negative);
  }
}

void ExactSum::load(StateReader& in) {
  clear();
  const auto groups = in.get<uint64_t>();
  resize(int64_t(groups));
  const auto parts_of = [&](std::vector<double>& parts) {
    for (auto left = in.get<uint32_t>(); left > 0; --left) parts.push_back(in.get<double>());
  };
  for (uint64_t group = 0; group < groups; ++group) {
    const bool listed = in.get<bool>();
    List& list = list_of(entries_[group]);
    parts_of(list.parts);
    if (listed) {
      parts_of(list.huge);
      list.nan = in.get<int64_t>();
      list.positive = in.get<int64_t>();
      list.negative = in.get<int64_t>();
    }
    give_back(entries_[group]);
  }
}

int64_t ExactSum::bytes() const {
  // A list's own memory is a small multiple of what most of them hold.
  return int64_t(entries_.capacity() * sizeof(Entry) + lists_.capacity() * (sizeof(List) + 32) + unused_.capacity() * 4);
}

void ExactSum::clear() {
  entries_.release();
  lists_.clear();
  unused_.clear();
}

void ExactMoments::resize(int64_t groups) {
  counts_.resize_zero(size_t(groups));
  sums_.resize(groups);
  squares_.resize(groups);
}

void ExactMoments::update(const Vector* values, const Lanes& lanes) {
  const Vector& v = *values;
  const auto value = [&](int64_t row) -> double {
    switch (v.kind) {
      case Kind::I8: return double(v.values<int8_t>()[row]);
      case Kind::I16: return double(v.values<int16_t>()[row]);
      case Kind::I32: return double(v.values<int32_t>()[row]);
      case Kind::I64: return double(v.values<int64_t>()[row]);
      case Kind::I128: return double(value_at(v.values<int128>(), row));
      case Kind::F32: return double(v.values<float>()[row]);
      case Kind::F64: return v.values<double>()[row];
      default: throw std::invalid_argument("a variance takes numbers");
    }
  };
  for (int i = 0; i < lanes.n; ++i) {
    const double number = value(lanes.base + lanes.index[i]) / scale_;
    const int64_t weight = lanes.weight(i);
    counts_[lanes.groups[i]] += weight;
    sums_.add(lanes.groups[i], number, weight);
    // The square in two parts; what both of them lose (far below any double) is lost again when the value goes.
    const double square = number * number;
    squares_.add(lanes.groups[i], square, weight);
    if (std::isfinite(square)) squares_.add(lanes.groups[i], std::fma(number, number, -square), weight);
  }
}

void ExactMoments::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = static_cast<const ExactMoments&>(other);
  for (int64_t i = 0; i < moves.n; ++i) counts_[moves.to[i]] += from.counts_[moves.from[i]];
  sums_.absorb(from.sums_, moves);
  squares_.absorb(from.squares_, moves);
}

bool ExactMoments::vacant(int64_t group) const {
  return counts_[size_t(group)] == 0 && sums_.vacant(group) && squares_.vacant(group);
}

MomentStates::State ExactMoments::at(int64_t group) const {
  State state;
  state.count = counts_[size_t(group)];
  if (state.count <= 0) return state;
  const __float128 sum = sums_.wide(group), count = __float128(state.count);
  const __float128 deviation = squares_.wide(group) - sum * sum / count;
  state.mean = double(sum / count);
  state.deviation = deviation < 0 ? 0.0 : double(deviation);
  return state;
}

void ExactMoments::save(StateWriter& out) const {
  out.put_array(counts_);
  sums_.save(out);
  squares_.save(out);
}
void ExactMoments::load(StateReader& in) {
  in.get_array(counts_);
  sums_.load(in);
  squares_.load(in);
}

void ExactMoments::clear() {
  counts_.release();
  sums_.clear();
  squares_.clear();
}

}  // namespace tableflow
