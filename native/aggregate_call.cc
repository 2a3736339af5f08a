#include "aggregate_call.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <typeinfo>

#include "group_strings.h"
#include "nearest.h"

namespace tableflow {

namespace {

const std::map<std::string, AggregateFunction, std::less<>> functions = {
    {"count", AggregateFunction::Count},       {"count_if", AggregateFunction::CountIf},
    {"sum", AggregateFunction::Sum},           {"avg", AggregateFunction::Avg},
    {"min", AggregateFunction::Min},           {"max", AggregateFunction::Max},
    {"any_value", AggregateFunction::Min},     {"bool_and", AggregateFunction::Min},
    {"bool_or", AggregateFunction::Max},       {"stddev_samp", AggregateFunction::StddevSamp},
    {"stddev_pop", AggregateFunction::StddevPop}, {"var_samp", AggregateFunction::VarSamp},
    {"var_pop", AggregateFunction::VarPop},
};

bool is_integer_format(const std::string& f) { return f == "c" || f == "s" || f == "i" || f == "l" || f[0] == 'd'; }
bool is_real_format(const std::string& f) { return f == "f" || f == "g"; }

double scale_of(const std::string& format) {
  if (format.empty() || format[0] != 'd') return 1.0;
  return std::pow(10.0, std::stoi(format.substr(format.find(',') + 1)));
}

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

bool same_accumulator(const Accumulator& a, const Accumulator& b) {
  if (typeid(a) != typeid(b)) return false;
  // Of extremes the least and the greatest differ; the rest is decided by the argument.
  return typeid(a) == typeid(Count) || typeid(a) == typeid(IntegerSum) || typeid(a) == typeid(FloatSum) ||
         typeid(a) == typeid(Moments) || typeid(a) == typeid(CountTrue);
}

}  // namespace

AggregateCallState::AggregateCallState(int number, const AggregateSpec& spec, int distinct, std::vector<Slot>& slots)
    : number_(number), format_(spec.formats.empty() ? "" : spec.formats[0]), spec_(spec), distinct_(distinct) {
  const auto known = functions.find(spec.function);
  if (known == functions.end()) throw std::invalid_argument("unknown aggregate: " + spec.function);
  function_ = known->second;
  const bool merging = spec.merging;
  const int argument = spec.arguments.empty() ? -1 : spec.arguments[0];
  if (spec.formats.size() != spec.arguments.size()) throw std::invalid_argument("every argument has a format");
  if (!merging && !spec.distinct && spec.arguments.size() > 1) throw std::invalid_argument("only DISTINCT takes several arguments");
  if (argument < 0 && (function_ != AggregateFunction::Count || merging)) throw std::invalid_argument("an aggregate lacks its argument");
  exact_ = !format_.empty() && is_integer_format(format_);
  scale_ = scale_of(format_);
  const auto sum = [&]() -> std::unique_ptr<Accumulator> {
    if (is_real_format(format_)) return std::make_unique<FloatSum>();
    if (!exact_) throw std::invalid_argument("numbers are summed");
    return std::make_unique<IntegerSum>(!merging && (format_ == "c" || format_ == "s" || format_ == "i"));
  };
  switch (function_) {
    case AggregateFunction::Count:
      count_ = find(slots, std::make_unique<Count>(merging), argument, false, true);
      break;
    case AggregateFunction::CountIf:
      if (merging) {
        count_ = find(slots, std::make_unique<Count>(true), argument, false, true);
      } else {
        count_ = find(slots, std::make_unique<CountTrue>(), argument, false, true);
      }
      break;
    case AggregateFunction::Sum: value_ = find(slots, sum(), argument, true, true); break;
    case AggregateFunction::Avg:
      value_ = find(slots, sum(), argument, true, true);
      count_ = find(slots, std::make_unique<Count>(merging), merging ? spec.arguments.at(1) : argument, false, true);
      break;
    case AggregateFunction::Min: case AggregateFunction::Max: {
      const bool greatest = function_ == AggregateFunction::Max;
      std::unique_ptr<Accumulator> extreme;
      if (format_ == "u" || format_ == "z") {
        extreme = std::make_unique<TextExtreme>(greatest);
      } else if (format_ == "tin") {
        extreme = std::make_unique<IntervalExtreme>(greatest);
      } else if (format_[0] == 'd' && std::stoi(format_.substr(2)) > 18) {
        extreme = std::make_unique<Extreme<int128>>(greatest);
      } else {
        extreme = std::make_unique<Extreme<int64_t>>(greatest);
      }
      value_ = find(slots, std::move(extreme), argument, true, true);
      break;
    }
    default:
      value_ = find(slots, std::make_unique<Moments>(scale_), argument, false, !merging);
  }
}

int AggregateCallState::find(std::vector<Slot>& slots, std::unique_ptr<Accumulator> accumulator, int argument, bool presence,
                             bool skips_nulls) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    if (slot.argument == argument && slot.filter == spec_.filter && slot.distinct == distinct_ &&
        same_accumulator(*slot.accumulator, *accumulator))
      return int(i);
  }
  Slot slot;
  slot.accumulator = std::move(accumulator);
  slot.argument = argument;
  slot.filter = spec_.filter;
  slot.distinct = distinct_;
  slot.skips_nulls = skips_nulls;
  if (presence) slot.presence = std::make_unique<Presence>();
  slots.push_back(std::move(slot));
  return int(slots.size()) - 1;
}

int AggregateCallState::state_count() const {
  if (function_ == AggregateFunction::Avg) return 2;
  return function_ >= AggregateFunction::StddevSamp ? 3 : 1;
}

VectorPtr AggregateCallState::sum_column(const Slot& slot, int64_t from, int64_t n) const {
  const auto has = [&](int64_t i) { return slot.presence->has(from + i); };
  if (!exact_) {
    const auto& sums = static_cast<const FloatSum&>(*slot.accumulator).sums;
    return column<double>(Kind::F64, "g", n, [&](int64_t i) { return sums[size_t(from + i)]; }, has);
  }
  const auto& sums = static_cast<const IntegerSum&>(*slot.accumulator);
  const bool decimal = spec_.result[0] == 'd' || function_ == AggregateFunction::Avg;
  const int128 limit = decimal ? power_of_ten(38) : int128(1) << 63;
  bool narrow = true;
  for (int64_t i = 0; i < n; ++i) {
    const int128 sum = sums.sum(from + i);
    narrow &= int64_t(sum) == sum;
    const bool fits = decimal ? sum < limit && sum > -limit : sum < limit && sum >= -limit;
    if (sums.overflowed(from + i) || !fits)
      throw AggregateOverflow(number_, decimal ? "decimal overflow" : "integer overflow");
  }
  if (narrow) return column<int64_t>(Kind::I64, "l", n, [&](int64_t i) { return int64_t(sums.sum(from + i)); }, has);
  const std::string format = spec_.result[0] == 'd' ? spec_.result : "d:38," + std::to_string(int(std::lround(std::log10(scale_))));
  return column<int128>(Kind::I128, format, n, [&](int64_t i) { return sums.sum(from + i); }, has);
}

VectorPtr AggregateCallState::extreme_column(const Slot& slot, int64_t from, int64_t n) const {
  const std::string& format = format_;
  const auto has = [&](int64_t i) { return slot.presence->has(from + i); };
  if (const auto* texts = dynamic_cast<const TextExtreme*>(slot.accumulator.get())) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; ++i) bytes += int64_t(texts->at(from + i).size());
    StringWriter out(n, bytes);
    for (int64_t i = 0; i < n; ++i) texts->has(from + i) ? out.append(texts->at(from + i)) : out.append_null();
    return out.finish(format == "z");
  }
  if (const auto* intervals = dynamic_cast<const IntervalExtreme*>(slot.accumulator.get()))
    return column<int128>(Kind::Interval, format, n, [&](int64_t i) { return intervals->at(from + i); }, has);
  if (const auto* wide = dynamic_cast<const Extreme<int128>*>(slot.accumulator.get())) {
    return column<int128>(Kind::I128, format, n, [&](int64_t i) { return has(i) ? wide->best[size_t(from + i)] : int128(0); }, has);
  }
  const auto& best = static_cast<const Extreme<int64_t>&>(*slot.accumulator).best;
  const auto at = [&](int64_t i) { return has(i) ? best[size_t(from + i)] : int64_t(0); };
  const auto real = [&](int64_t i) { return from_ordered_bits(at(i)); };
  switch (format[0]) {
    case 'b': {
      auto bits = std::make_shared<Buffer>(size_t(n + 7) / 8);
      std::memset(bits->data(), 0, bits->size());
      for (int64_t i = 0; i < n; ++i)
        if (at(i)) set_bit(bits->data(), i);
      int64_t nulls;
      auto validity = validity_of(n, nulls, has);
      return make_fixed(Kind::Bool, format, n, std::move(bits), std::move(validity), nulls);
    }
    case 'c': return column<int8_t>(Kind::I8, format, n, at, has);
    case 's': return column<int16_t>(Kind::I16, format, n, at, has);
    case 'i': return column<int32_t>(Kind::I32, format, n, at, has);
    case 'f': return column<float>(Kind::F32, format, n, real, has);
    case 'g': return column<double>(Kind::F64, format, n, real, has);
    case 'd': return column<int64_t>(Kind::I64, "l", n, at, has);
    default:
      if (format == "n") return nulls(n);  // no argument was anything else
      if (format == "tdD") return column<int32_t>(Kind::I32, format, n, at, has);
      return column<int64_t>(Kind::I64, format, n, at, has);
  }
}

VectorPtr AggregateCallState::average(const std::vector<Slot>& slots, int64_t from, int64_t n) const {
  const auto& counts = static_cast<const Count&>(*slots[size_t(count_)].accumulator).counts;
  const auto has = [&](int64_t i) { return counts[size_t(from + i)] > 0; };
  const auto count = [&](int64_t i) { return std::max<int64_t>(1, counts[size_t(from + i)]); };
  if (!exact_) {
    const auto& sums = static_cast<const FloatSum&>(*slots[size_t(value_)].accumulator).sums;
    return column<double>(Kind::F64, "g", n, [&](int64_t i) { return sums[size_t(from + i)] / double(count(i)); }, has);
  }
  const auto& sums = static_cast<const IntegerSum&>(*slots[size_t(value_)].accumulator);
  const int scale = int(std::lround(std::log10(scale_)));
  const uint128 fives = power_of_five(scale);  // times a count it stays below 2^127 while the count is below 2^38
  return column<double>(Kind::F64, "g", n, [&](int64_t i) {
    if (sums.overflowed(from + i)) throw AggregateOverflow(number_, "decimal overflow");
    const int128 sum = sums.sum(from + i);
    const double magnitude = nearest_quotient<53>(sum < 0 ? -uint128(sum) : uint128(sum), uint128(count(i)) * fives, -scale);
    return sum < 0 ? -magnitude : magnitude;
  }, has);
}

VectorPtr AggregateCallState::spread(const Moments& moments, int64_t from, int64_t n) const {
  const bool sample = function_ == AggregateFunction::StddevSamp || function_ == AggregateFunction::VarSamp;
  const bool root = function_ == AggregateFunction::StddevSamp || function_ == AggregateFunction::StddevPop;
  const int64_t least = sample ? 2 : 1;
  const auto at = [&](int64_t i) -> const Moments::State& { return moments.states[size_t(from + i)]; };
  return column<double>(Kind::F64, "g", n, [&](int64_t i) {
    if (at(i).count < least) return 0.0;
    const double variance = at(i).deviation / double(sample ? at(i).count - 1 : at(i).count);
    return root ? std::sqrt(variance) : variance;
  }, [&](int64_t i) { return at(i).count >= least; });
}

VectorPtr AggregateCallState::result(const std::vector<Slot>& slots, int64_t from, int64_t n) const {
  const auto value = [&]() -> const Slot& { return slots[size_t(value_)]; };
  switch (function_) {
    case AggregateFunction::Count: case AggregateFunction::CountIf: {
      const Accumulator& counter = *slots[size_t(count_)].accumulator;
      const auto* conditional = dynamic_cast<const CountTrue*>(&counter);
      const auto& counts = conditional ? conditional->counts : static_cast<const Count&>(counter).counts;
      return column<int64_t>(Kind::I64, "l", n, [&](int64_t i) { return counts[size_t(from + i)]; }, always);
    }
    case AggregateFunction::Sum: return sum_column(value(), from, n);
    case AggregateFunction::Avg: return average(slots, from, n);
    case AggregateFunction::Min: case AggregateFunction::Max: return extreme_column(value(), from, n);
    default: return spread(static_cast<const Moments&>(*value().accumulator), from, n);
  }
}

void AggregateCallState::states(const std::vector<Slot>& slots, int64_t from, int64_t n, std::vector<VectorPtr>& out) const {
  if (function_ == AggregateFunction::Avg) {
    const auto& counts = static_cast<const Count&>(*slots[size_t(count_)].accumulator).counts;
    out.push_back(sum_column(slots[size_t(value_)], from, n));
    out.push_back(column<int64_t>(Kind::I64, "l", n, [&](int64_t i) { return counts[size_t(from + i)]; }, always));
  } else if (function_ >= AggregateFunction::StddevSamp) {
    const auto& states = static_cast<const Moments&>(*slots[size_t(value_)].accumulator).states;
    const auto at = [&](int64_t i) -> const Moments::State& { return states[size_t(from + i)]; };
    out.push_back(column<int64_t>(Kind::I64, "l", n, [&](int64_t i) { return at(i).count; }, always));
    out.push_back(column<double>(Kind::F64, "g", n, [&](int64_t i) { return at(i).mean; }, always));
    out.push_back(column<double>(Kind::F64, "g", n, [&](int64_t i) { return at(i).deviation; }, always));
  } else {
    out.push_back(result(slots, from, n));
  }
}

}  // namespace tableflow
