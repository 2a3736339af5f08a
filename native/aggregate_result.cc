// What calls give: their results and states as columns over some groups.
#include <algorithm>
#include <cmath>
#include <optional>

#include "aggregate_call.h"
#include "exact_sum.h"
#include "group_strings.h"
#include "nearest.h"
#include "ordered_values.h"

namespace tableflow {

namespace {

int128 power_of_ten(int digits) {
  int128 value = 1;
  while (digits-- > 0) value *= 10;
  return value;
}

// Bits of rows for which `has` holds; null when it holds for all.
template <class Has> BufferPtr validity_of(int64_t n, int64_t& nulls, Has has) {
  nulls = 0;
  for (int64_t i = 0; i < n; ++i) nulls += !has(i);
  if (nulls == 0) return nullptr;
  auto bits = std::make_shared<Buffer>(size_t(n + 7) / 8);
  std::memset(bits->data(), 0, bits->size());
  for (int64_t i = 0; i < n; ++i)
    if (has(i)) set_bit(bits->data(), i);
  return bits;
}

VectorPtr nulls(int64_t n) {
  auto v = std::make_shared<Vector>();
  v->kind = Kind::Null;
  v->format = std::string(1, 'n');
  v->length = v->null_count = n;
  return v;
}

template <class T, class Get, class Has> VectorPtr column(Kind kind, const std::string& format, int64_t n, Get get, Has has) {
  auto data = std::make_shared<Buffer>(size_t(n) * sizeof(T));
  for (int64_t i = 0; i < n; ++i) data->as<T>()[i] = T(get(i));
  int64_t nulls;
  auto validity = validity_of(n, nulls, has);
  return make_fixed(kind, format, n, std::move(data), std::move(validity), nulls);
}

constexpr auto always = [](int64_t) { return true; };

}  // namespace

VectorPtr AggregateCallState::sum_column(const Slot& slot, const Groups& of) const {
  const auto has = [&](int64_t i) { return slot.presence->has(of[i]); };
  if (!exact_) {
    const auto& sums = static_cast<const FloatSums&>(*slot.accumulator);
    return column<double>(Kind::F64, "g", of.n, [&](int64_t i) { return sums.at(of[i]); }, has);
  }
  const auto& sums = static_cast<const IntegerSum&>(*slot.accumulator);
  const bool decimal = spec_.result[0] == 'd' || function_ == AggregateFunction::Avg;
  const int128 limit = decimal ? power_of_ten(38) : int128(1) << 63;
  bool narrow = true;
  for (int64_t i = 0; i < of.n; ++i) {
    const int128 sum = sums.sum(of[i]);
    narrow &= int64_t(sum) == sum;
    const bool fits = decimal ? sum < limit && sum > -limit : sum < limit && sum >= -limit;
    if (sums.overflowed(of[i]) || !fits)
      throw AggregateOverflow(number_, decimal ? "decimal overflow" : "integer overflow");
  }
  if (narrow) return column<int64_t>(Kind::I64, "l", of.n, [&](int64_t i) { return int64_t(sums.sum(of[i])); }, has);
  const std::string format = spec_.result[0] == 'd' ? spec_.result : "d:38," + std::to_string(int(std::lround(std::log10(scale_))));
  return column<int128>(Kind::I128, format, of.n, [&](int64_t i) { return sums.sum(of[i]); }, has);
}

namespace {

// Values by group: find(group) is a pointer, null when the group has none.
template <class T, class Find> VectorPtr found_column(Kind kind, const std::string& format, const Groups& of, Find find) {
  return column<T>(kind, format, of.n, [&](int64_t i) { const auto* value = find(of[i]); return value ? T(*value) : T(0); },
                   [&](int64_t i) { return find(of[i]) != nullptr; });
}

// Texts by group: find(group) is an optional view.
template <class Find> VectorPtr found_texts(const std::string& format, const Groups& of, Find find) {
  int64_t bytes = 0;
  for (int64_t i = 0; i < of.n; ++i)
    if (const auto text = find(of[i])) bytes += int64_t(text->size());
  StringWriter out(of.n, bytes);
  for (int64_t i = 0; i < of.n; ++i) {
    const auto text = find(of[i]);
    text ? out.append(*text) : out.append_null();
  }
  return out.finish(format == "z");
}

// Values whose order is that of 64-bit integers: find(group) points to the integer.
template <class Find> VectorPtr found_numbers(const std::string& format, const Groups& of, Find find) {
  const auto real = [&]<class T>(Kind kind) {
    return column<T>(kind, format, of.n, [&](int64_t i) { const int64_t* bits = find(of[i]); return bits ? from_ordered_bits(*bits) : 0.0; },
                     [&](int64_t i) { return find(of[i]) != nullptr; });
  };
  switch (format[0]) {
    case 'b': {
      auto bits = std::make_shared<Buffer>(size_t(of.n + 7) / 8);
      std::memset(bits->data(), 0, bits->size());
      for (int64_t i = 0; i < of.n; ++i)
        if (const int64_t* value = find(of[i]); value && *value) set_bit(bits->data(), i);
      int64_t nulls;
      auto validity = validity_of(of.n, nulls, [&](int64_t i) { return find(of[i]) != nullptr; });
      return make_fixed(Kind::Bool, format, of.n, std::move(bits), std::move(validity), nulls);
    }
    case 'c': return found_column<int8_t>(Kind::I8, format, of, find);
    case 's': return found_column<int16_t>(Kind::I16, format, of, find);
    case 'i': return found_column<int32_t>(Kind::I32, format, of, find);
    case 'f': return real.template operator()<float>(Kind::F32);
    case 'g': return real.template operator()<double>(Kind::F64);
    case 'd': return found_column<int64_t>(Kind::I64, "l", of, find);
    default:
      if (format == "n") return nulls(of.n);  // no argument was anything else
      if (format == "tdD") return found_column<int32_t>(Kind::I32, format, of, find);
      return found_column<int64_t>(Kind::I64, format, of, find);
  }
}

}  // namespace

VectorPtr AggregateCallState::extreme_column(const Slot& slot, const Groups& of) const {
  const Accumulator& of_all = *slot.accumulator;
  const auto has = [&](int64_t group) { return slot.presence->has(group); };
  if (const auto* texts = dynamic_cast<const TextExtreme*>(&of_all)) {
    return found_texts(format_, of, [&](int64_t group) {
      return texts->has(group) ? std::optional(texts->at(group)) : std::nullopt;
    });
  }
  if (const auto* intervals = dynamic_cast<const IntervalExtreme*>(&of_all)) {
    return column<int128>(Kind::Interval, format_, of.n, [&](int64_t i) { return intervals->at(of[i]); },
                          [&](int64_t i) { return has(of[i]); });
  }
  if (const auto* wide = dynamic_cast<const Extreme<int128>*>(&of_all))
    return found_column<int128>(Kind::I128, format_, of, [&](int64_t group) { return has(group) ? &wide->best[size_t(group)] : nullptr; });
  const auto& best = static_cast<const Extreme<int64_t>&>(of_all).best;
  return found_numbers(format_, of, [&](int64_t group) { return has(group) ? &best[size_t(group)] : nullptr; });
}

VectorPtr AggregateCallState::ordered_column(const Slot& slot, const Groups& of) const {
  const Accumulator& of_all = *slot.accumulator;
  const bool greatest = function_ == AggregateFunction::Max;
  if (const auto* texts = dynamic_cast<const OrderedValues<std::string>*>(&of_all)) {
    return found_texts(format_, of, [&](int64_t group) -> std::optional<std::string_view> {
      const std::string* text = texts->extreme(group, greatest);
      return text ? std::optional<std::string_view>(*text) : std::nullopt;
    });
  }
  if (const auto* intervals = dynamic_cast<const OrderedValues<OrderedInterval>*>(&of_all)) {
    return found_column<int128>(Kind::Interval, format_, of, [&](int64_t group) {
      const OrderedInterval* interval = intervals->extreme(group, greatest);
      return interval ? &interval->value : nullptr;
    });
  }
  if (const auto* wide = dynamic_cast<const OrderedValues<int128>*>(&of_all))
    return found_column<int128>(Kind::I128, format_, of, [&](int64_t group) { return wide->extreme(group, greatest); });
  const auto& numbers = static_cast<const OrderedValues<int64_t>&>(of_all);
  return found_numbers(format_, of, [&](int64_t group) { return numbers.extreme(group, greatest); });
}

VectorPtr AggregateCallState::average(const std::vector<Slot>& slots, const Groups& of) const {
  const auto& counts = static_cast<const Count&>(*slots[size_t(count_)].accumulator).counts;
  const auto has = [&](int64_t i) { return counts[size_t(of[i])] > 0; };
  const auto count = [&](int64_t i) { return std::max<int64_t>(1, counts[size_t(of[i])]); };
  if (!exact_) {
    const auto& sums = static_cast<const FloatSums&>(*slots[size_t(value_)].accumulator);
    return column<double>(Kind::F64, "g", of.n, [&](int64_t i) { return sums.at(of[i]) / double(count(i)); }, has);
  }
  const auto& sums = static_cast<const IntegerSum&>(*slots[size_t(value_)].accumulator);
  const int scale = int(std::lround(std::log10(scale_)));
  const uint128 fives = power_of_five(scale);  // times a count it stays below 2^127 while the count is below 2^38
  return column<double>(Kind::F64, "g", of.n, [&](int64_t i) {
    if (sums.overflowed(of[i])) throw AggregateOverflow(number_, "decimal overflow");
    const int128 sum = sums.sum(of[i]);
    const double magnitude = nearest_quotient<53>(sum < 0 ? -uint128(sum) : uint128(sum), uint128(count(i)) * fives, -scale);
    return sum < 0 ? -magnitude : magnitude;
  }, has);
}

VectorPtr AggregateCallState::spread(const MomentStates& moments, const Groups& of) const {
  const bool sample = function_ == AggregateFunction::StddevSamp || function_ == AggregateFunction::VarSamp;
  const bool root = function_ == AggregateFunction::StddevSamp || function_ == AggregateFunction::StddevPop;
  const int64_t least = sample ? 2 : 1;
  const auto at = [&](int64_t i) { return moments.at(of[i]); };
  return column<double>(Kind::F64, "g", of.n, [&](int64_t i) {
    if (at(i).count < least) return 0.0;
    const MomentStates::State state = at(i);
    const double variance = state.deviation / double(sample ? state.count - 1 : state.count);
    return root ? std::sqrt(variance) : variance;
  }, [&](int64_t i) { return at(i).count >= least; });
}

VectorPtr AggregateCallState::result(const std::vector<Slot>& slots, const Groups& of) const {
  const auto value = [&]() -> const Slot& { return slots[size_t(value_)]; };
  switch (function_) {
    case AggregateFunction::Count: case AggregateFunction::CountIf: {
      const Accumulator& counter = *slots[size_t(count_)].accumulator;
      const auto* conditional = dynamic_cast<const CountTrue*>(&counter);
      const auto& counts = conditional ? conditional->counts : static_cast<const Count&>(counter).counts;
      return column<int64_t>(Kind::I64, "l", of.n, [&](int64_t i) { return counts[size_t(of[i])]; }, always);
    }
    case AggregateFunction::Sum: return sum_column(value(), of);
    case AggregateFunction::Avg: return average(slots, of);
    case AggregateFunction::Min: case AggregateFunction::Max:
      return spec_.changing ? ordered_column(value(), of) : extreme_column(value(), of);
    default: return spread(static_cast<const MomentStates&>(*value().accumulator), of);
  }
}

void AggregateCallState::states(const std::vector<Slot>& slots, const Groups& of, std::vector<VectorPtr>& out) const {
  if (function_ == AggregateFunction::Avg) {
    const auto& counts = static_cast<const Count&>(*slots[size_t(count_)].accumulator).counts;
    out.push_back(sum_column(slots[size_t(value_)], of));
    out.push_back(column<int64_t>(Kind::I64, "l", of.n, [&](int64_t i) { return counts[size_t(of[i])]; }, always));
  } else if (function_ >= AggregateFunction::StddevSamp) {
    const auto& states = static_cast<const MomentStates&>(*slots[size_t(value_)].accumulator);
    const auto at = [&](int64_t i) { return states.at(of[i]); };
    out.push_back(column<int64_t>(Kind::I64, "l", of.n, [&](int64_t i) { return at(i).count; }, always));
    out.push_back(column<double>(Kind::F64, "g", of.n, [&](int64_t i) { return at(i).mean; }, always));
    out.push_back(column<double>(Kind::F64, "g", of.n, [&](int64_t i) { return at(i).deviation; }, always));
  } else {
    out.push_back(result(slots, of));
  }
}

}  // namespace tableflow
