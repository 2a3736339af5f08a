#include "aggregate_call.h"

#include <cmath>
#include <map>
#include <typeinfo>

#include "exact_sum.h"
#include "ordered_values.h"

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

bool same_accumulator(const Accumulator& a, const Accumulator& b) {
  if (typeid(a) != typeid(b)) return false;
  // Of extremes the least and the greatest differ; the rest is decided by the argument.
  return typeid(a) == typeid(Count) || typeid(a) == typeid(IntegerSum) || typeid(a) == typeid(FloatSum) ||
         typeid(a) == typeid(Moments) || typeid(a) == typeid(CountTrue) || typeid(a) == typeid(ExactSum) ||
         typeid(a) == typeid(ExactMoments) || typeid(a) == typeid(OrderedValues<int64_t>) || typeid(a) == typeid(OrderedValues<int128>) ||
         typeid(a) == typeid(OrderedValues<std::string>) || typeid(a) == typeid(OrderedValues<OrderedInterval>);
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
  if (merging && spec.changing) throw std::invalid_argument("states are not taken away");
  exact_ = !format_.empty() && is_integer_format(format_);
  scale_ = scale_of(format_);
  const auto sum = [&]() -> std::unique_ptr<Accumulator> {
    if (is_real_format(format_) && spec.changing) return std::make_unique<ExactSum>();
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
    case AggregateFunction::Min: case AggregateFunction::Max:
      // An ordered set of values knows by itself whether it has any.
      value_ = find(slots, new_extreme(), argument, !spec.changing, true);
      break;
    default:
      if (spec.changing) {
        value_ = find(slots, std::make_unique<ExactMoments>(scale_), argument, false, true);
      } else {
        value_ = find(slots, std::make_unique<Moments>(scale_), argument, false, !merging);
      }
  }
}

std::unique_ptr<Accumulator> AggregateCallState::new_extreme() const {
  const bool greatest = function_ == AggregateFunction::Max, changing = spec_.changing;
  const auto either = [&]<class Ordered, class Best>() -> std::unique_ptr<Accumulator> {
    if (changing) return std::make_unique<Ordered>();
    return std::make_unique<Best>(greatest);
  };
  if (format_ == "u" || format_ == "z") return either.operator()<OrderedValues<std::string>, TextExtreme>();
  if (format_ == "tin") return either.operator()<OrderedValues<OrderedInterval>, IntervalExtreme>();
  if (format_[0] == 'd' && std::stoi(format_.substr(2)) > 18) return either.operator()<OrderedValues<int128>, Extreme<int128>>();
  return either.operator()<OrderedValues<int64_t>, Extreme<int64_t>>();
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
  if (presence) slot.presence = std::make_unique<Presence>(spec_.changing);
  slots.push_back(std::move(slot));
  return int(slots.size()) - 1;
}

int AggregateCallState::state_count() const {
  if (function_ == AggregateFunction::Avg) return 2;
  return function_ >= AggregateFunction::StddevSamp ? 3 : 1;
}

}  // namespace tableflow
