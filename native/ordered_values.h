// Least and greatest values of groups whose rows may go again: an ordered multiset per group.
//
// A value is visible while its count is positive; a count may be negative for a while, when a row went before it came.
#pragma once

#include <map>

#include "aggregate_state.h"

namespace tableflow {

// Intervals by their length; of equal ones the spelling that stands for them comes last.
struct OrderedInterval {
  int128 length = 0, value = 0;
  bool operator<(const OrderedInterval& other) const;
};

template <class T> class OrderedValues final : public Accumulator {
 public:
  void resize(int64_t groups) override { values_.resize(size_t(groups)); }
  void update(const Vector* values, const Lanes& lanes) override;
  void absorb(const Accumulator& other, const Moves& moves) override;
  bool vacant(int64_t group) const override { return values_[size_t(group)].empty(); }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  int64_t bytes() const override {
    return int64_t(values_.capacity() * sizeof(std::map<T, int64_t>)) + count_ * int64_t(sizeof(T) + node_bytes) + text_bytes_;
  }
  int64_t bytes_per_group() const override { return int64_t(sizeof(std::map<T, int64_t>) + sizeof(T) + node_bytes); }
  void clear() override;
  // Null when the group has none.
  const T* extreme(int64_t group, bool greatest) const;

 private:
  static constexpr int64_t node_bytes = 56;  // a tree's node beside the value
  void add(uint32_t group, T value, int64_t times);
  std::vector<std::map<T, int64_t>> values_;
  int64_t count_ = 0, text_bytes_ = 0;
};

}  // namespace tableflow
