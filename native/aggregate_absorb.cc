// States of accumulators joined with those of another table's groups, and as bytes.
#include "aggregate_state.h"

namespace tableflow {

namespace {

template <class A> const A& same(const Accumulator& other) { return static_cast<const A&>(other); }

}  // namespace

void Count::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = same<Count>(other).counts;
  for (int64_t i = 0; i < moves.n; ++i) counts[moves.to[i]] += from[moves.from[i]];
}
void Count::save(StateWriter& out) const { out.put_array(counts); }
void Count::load(StateReader& in) { in.get_array(counts); }

void CountTrue::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = same<CountTrue>(other).counts;
  for (int64_t i = 0; i < moves.n; ++i) counts[moves.to[i]] += from[moves.from[i]];
}
void CountTrue::save(StateWriter& out) const { out.put_array(counts); }
void CountTrue::load(StateReader& in) { in.get_array(counts); }

void IntegerSum::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = same<IntegerSum>(other);
  for (int64_t i = 0; i < moves.n; ++i) {
    const uint32_t to = moves.to[i];
    if (narrow_) {
      narrow_sums_[to] = int64_t(uint64_t(narrow_sums_[to]) + uint64_t(from.narrow_sums_[moves.from[i]]));
      continue;
    }
    const int128 value = from.wide_sums_[moves.from[i]];
    int128& sum = wide_sums_[to];
    if (__builtin_add_overflow(sum, value, &sum)) wrapped(to, value > 0 ? 1 : -1);
    if (!from.wraps_.empty() && from.wraps_[moves.from[i]]) wrapped(to, from.wraps_[moves.from[i]]);
  }
}
void IntegerSum::save(StateWriter& out) const {
  out.put_array(narrow_sums_);
  out.put_array(wide_sums_);
  out.put(uint64_t(wraps_.size()));
  for (const int32_t wraps : wraps_) out.put(wraps);
}
void IntegerSum::load(StateReader& in) {
  in.get_array(narrow_sums_);
  in.get_array(wide_sums_);
  wraps_.clear();
  for (auto left = in.get<uint64_t>(); left > 0; --left) wraps_.push_back(in.get<int32_t>());
}

void FloatSum::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = same<FloatSum>(other).sums;
  for (int64_t i = 0; i < moves.n; ++i) sums[moves.to[i]] += from[moves.from[i]];
}
void FloatSum::save(StateWriter& out) const { out.put_array(sums); }
void FloatSum::load(StateReader& in) { in.get_array(sums); }

template <class T> void Extreme<T>::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = same<Extreme<T>>(other).best;
  for (int64_t i = 0; i < moves.n; ++i) {
    const T value = from[moves.from[i]];
    T& held = best[moves.to[i]];
    if (greatest_ ? value > held : value < held) held = value;
  }
}
template <class T> void Extreme<T>::save(StateWriter& out) const { out.put_array(best); }
template <class T> void Extreme<T>::load(StateReader& in) { in.get_array(best); }

template class Extreme<int64_t>;
template class Extreme<int128>;

void IntervalExtreme::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = same<IntervalExtreme>(other).best_;
  for (int64_t i = 0; i < moves.n; ++i)
    if (from[moves.from[i]].present) offer(moves.to[i], from[moves.from[i]].value);
}
void IntervalExtreme::save(StateWriter& out) const { out.put_array(best_); }
void IntervalExtreme::load(StateReader& in) { in.get_array(best_); }

void TextExtreme::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = same<TextExtreme>(other);
  for (int64_t i = 0; i < moves.n; ++i)
    if (from.has(moves.from[i])) offer(moves.to[i], from.at(moves.from[i]));
}
void TextExtreme::save(StateWriter& out) const {
  out.put(uint64_t(best_.size()));
  for (size_t group = 0; group < best_.size(); ++group) {
    out.put(has(int64_t(group)));
    if (has(int64_t(group))) out.put_text(at(int64_t(group)));
  }
}
void TextExtreme::load(StateReader& in) {
  clear();
  const auto groups = in.get<uint64_t>();
  resize(int64_t(groups));
  for (uint64_t group = 0; group < groups; ++group)
    if (in.get<bool>()) store(best_[group], in.get_text());
}

void Moments::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = same<Moments>(other).states;
  for (int64_t i = 0; i < moves.n; ++i) merge(states[moves.to[i]], from[moves.from[i]]);
}
void Moments::save(StateWriter& out) const { out.put_array(states); }
void Moments::load(StateReader& in) { in.get_array(states); }

}  // namespace tableflow
