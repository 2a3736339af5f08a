// Sums of doubles without rounding, so that what was added can be taken away again and leaves nothing.
//
// A sum is an expansion: doubles that do not overlap, whose exact sum it is (Shewchuk, "Adaptive Precision Floating-Point
// Arithmetic", 1997); it is rounded when it is read.  Most sums need two, kept beside the group; longer ones go to a list.
// Values above 2^960 have an expansion of their own, scaled down, so that nothing overflows on the way; infinities and NaNs are counted.
#pragma once

#include "aggregate_state.h"

namespace tableflow {

class ExactSum final : public FloatSums {
 public:
  void resize(int64_t groups) override { entries_.resize_zero(size_t(groups)); }
  void update(const Vector* values, const Lanes& lanes) override;
  void absorb(const Accumulator& other, const Moves& moves) override;
  bool vacant(int64_t group) const override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  int64_t bytes() const override;
  int64_t bytes_per_group() const override { return int64_t(sizeof(Entry)); }
  void clear() override;
  // The nearest double.
  double at(int64_t group) const override;
  // The sum with 113 bits.
  __float128 wide(int64_t group) const;
  void add(uint32_t group, double value, int64_t times);

 private:
  static constexpr uint32_t inline_parts = 2;
  struct Entry {
    double parts[inline_parts];
    uint32_t count;  // of parts, when there is no list
    uint32_t list;   // number + 1
  };
  struct List {
    std::vector<double> parts, huge;
    int64_t nan = 0, positive = 0, negative = 0;
    bool empty() const { return parts.empty() && huge.empty() && nan == 0 && positive == 0 && negative == 0; }
  };
  List& list_of(Entry& entry);
  void give_back(Entry& entry);
  void add_once(Entry& entry, double value);

  Array<Entry> entries_;
  std::vector<List> lists_;
  std::vector<uint32_t> unused_;  // lists
};

// Variances of values that may go again: exact sums of values and of their squares.
class ExactMoments final : public MomentStates {
 public:
  explicit ExactMoments(double scale) : scale_(scale) {}
  void resize(int64_t groups) override;
  void update(const Vector* values, const Lanes& lanes) override;
  void absorb(const Accumulator& other, const Moves& moves) override;
  bool vacant(int64_t group) const override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  int64_t bytes() const override { return int64_t(counts_.capacity() * 8) + sums_.bytes() + squares_.bytes(); }
  int64_t bytes_per_group() const override { return 8 + sums_.bytes_per_group() + squares_.bytes_per_group(); }
  void clear() override;
  State at(int64_t group) const override;

 private:
  double scale_;  // decimals: what their scaled integers are divided by
  Array<int64_t> counts_;
  ExactSum sums_, squares_;
};

}  // namespace tableflow
