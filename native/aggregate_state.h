// What an aggregate keeps per group: one array per kind of accumulator, by group number.
//
// Accumulators see rows in which the argument is not NULL and the filter holds; that selection is made once for all
// accumulators that share it.  When a table has few groups its rows come clustered by group, so that a run is summed in a
// register.  Sums of integers are exact: 128 bits, and a count of wrap-arounds beyond.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "group_input.h"
#include "group_memory.h"
#include "group_numbers.h"
#include "state_bytes.h"

namespace tableflow {

struct Run {
  uint32_t group;
  int begin, end;
};

// Rows of a piece in some order: where their values are, and their groups.
struct Lanes {
  const uint32_t* index = nullptr;  // position in the vector, to be added to base
  int64_t base = 0;
  const uint32_t* groups = nullptr;
  int n = 0;
  const Run* runs = nullptr;  // when clustered; then there are no weights
  int run_count = 0;
  const int64_t* weights = nullptr;  // how often each lane counts; null: once

  int64_t weight(int i) const { return weights ? weights[i] : 1; }
};

// Groups of another table that become groups (perhaps the same several times) of this one.
struct Moves {
  const uint32_t* from;
  const uint32_t* to;
  int64_t n;
};

class Accumulator {
 public:
  virtual ~Accumulator() = default;
  // Adds what an accumulator of the same class has of some groups.
  virtual void absorb(const Accumulator& other, const Moves& moves) = 0;
  // Whether the group is as new; only of those that can take rows away.
  virtual bool vacant(int64_t) const { return false; }
  virtual void save(StateWriter& out) const = 0;
  virtual void load(StateReader& in) = 0;
  // Groups [old size, groups) start empty.
  virtual void resize(int64_t groups) = 0;
  virtual void update(const Vector* values, const Lanes& lanes) = 0;
  virtual int64_t bytes() const = 0;
  virtual int64_t bytes_per_group() const = 0;
  virtual void clear() = 0;
};

// Whether a group has had a value.  Costs nothing until a NULL or a filter makes it necessary.
// `counting`: how many values, because they may go again.
class Presence {
 public:
  explicit Presence(bool counting) : counting_(counting), tracked_(counting) {}
  // From now on groups may lack values; those before `groups` have one.
  void track(int64_t groups) {
    if (tracked_) return;
    tracked_ = true;
    seen_.resize(size_t(groups), 1);
  }
  bool tracked() const { return tracked_; }
  void resize(int64_t groups) {
    if (counting_) {
      counts_.resize_zero(size_t(groups));
    } else if (tracked_) {
      seen_.resize_zero(size_t(groups));
    }
  }
  void mark(const Lanes& lanes) {
    if (!tracked_) return;
    if (counting_) {
      for (int i = 0; i < lanes.n; ++i) counts_[lanes.groups[i]] += lanes.weight(i);
    } else if (lanes.runs) {
      for (int r = 0; r < lanes.run_count; ++r) seen_[lanes.runs[r].group] = 1;
    } else {
      for (int i = 0; i < lanes.n; ++i) seen_[lanes.groups[i]] = 1;
    }
  }
  bool has(int64_t group) const {
    return counting_ ? counts_[size_t(group)] > 0 : !tracked_ || seen_[size_t(group)];
  }
  bool vacant(int64_t group) const { return counting_ && counts_[size_t(group)] == 0; }
  // The `before` groups that were there before these moves have been tracked as they had to be.
  void absorb(const Presence& other, const Moves& moves, int64_t before) {
    if (counting_) {
      for (int64_t i = 0; i < moves.n; ++i) counts_[moves.to[i]] += other.counts_[moves.from[i]];
      return;
    }
    if (other.tracked_ && !tracked_) {
      track(before);
    }
    if (!tracked_) return;
    for (int64_t i = 0; i < moves.n; ++i) {
      if (moves.to[i] >= seen_.size()) seen_.resize_zero(moves.to[i] + 1);
      seen_[moves.to[i]] |= uint8_t(other.has(moves.from[i]));
    }
  }
  void save(StateWriter& out) const {
    out.put(tracked_);
    out.put_array(counts_);
    out.put_array(seen_);
  }
  void load(StateReader& in) {
    tracked_ = in.get<bool>();
    in.get_array(counts_);
    in.get_array(seen_);
  }
  int64_t bytes() const { return int64_t(seen_.capacity() + counts_.capacity() * 8); }
  void clear() {
    tracked_ = counting_;
    seen_.release();
    counts_.release();
  }

 private:
  bool counting_;
  bool tracked_;
  Array<uint8_t> seen_;
  Array<int64_t> counts_;
};

// Rows, or (merging) the sum of counts.
class Count final : public Accumulator {
 public:
  explicit Count(bool merging) : merging_(merging) {}
  void resize(int64_t groups) override { counts.resize_zero(size_t(groups)); }
  void absorb(const Accumulator& other, const Moves& moves) override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  bool vacant(int64_t group) const override { return counts[size_t(group)] == 0; }
  void update(const Vector* values, const Lanes& lanes) override;
  int64_t bytes() const override { return counts.held(); }
  int64_t bytes_per_group() const override { return 8; }
  void clear() override { counts.release(); }
  Array<int64_t> counts;

 private:
  bool merging_;
};

// Rows whose boolean argument is TRUE.
class CountTrue final : public Accumulator {
 public:
  void resize(int64_t groups) override { counts.resize_zero(size_t(groups)); }
  void absorb(const Accumulator& other, const Moves& moves) override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  bool vacant(int64_t group) const override { return counts[size_t(group)] == 0; }
  void update(const Vector* values, const Lanes& lanes) override;
  int64_t bytes() const override { return counts.held(); }
  int64_t bytes_per_group() const override { return 8; }
  void clear() override { counts.release(); }
  Array<int64_t> counts;
};

// Exact sum of integers of any width.
class IntegerSum final : public Accumulator {
 public:
  // `narrow`: values have at most 32 bits, so that a 64-bit sum is exact for any number of rows there can be.
  explicit IntegerSum(bool narrow) : narrow_(narrow) {}
  void resize(int64_t groups) override;
  void absorb(const Accumulator& other, const Moves& moves) override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  bool vacant(int64_t group) const override { return sum(group) == 0 && !overflowed(group); }
  void update(const Vector* values, const Lanes& lanes) override;
  int64_t bytes() const override;
  int64_t bytes_per_group() const override { return narrow_ ? 8 : 16; }
  void clear() override;
  int128 sum(int64_t group) const { return narrow_ ? int128(narrow_sums_[size_t(group)]) : wide_sums_[size_t(group)]; }
  // Whether the sum does not fit 128 bits.
  bool overflowed(int64_t group) const { return !wraps_.empty() && wraps_[size_t(group)] != 0; }

 private:
  void add_wide(const Vector& v, const Lanes& lanes);
  void add_weighted(const Vector& v, const Lanes& lanes);
  void add(uint32_t group, int128 value, int64_t times);
  void wrapped(uint32_t group, int32_t by);
  bool narrow_;
  Array<int64_t> narrow_sums_;
  Array<int128> wide_sums_;
  std::vector<int32_t> wraps_;  // empty until a sum leaves 128 bits
};

class FloatSums : public Accumulator {
 public:
  virtual double at(int64_t group) const = 0;
};

class FloatSum final : public FloatSums {
 public:
  double at(int64_t group) const override { return sums[size_t(group)]; }
  void resize(int64_t groups) override { sums.resize_zero(size_t(groups)); }
  void absorb(const Accumulator& other, const Moves& moves) override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void update(const Vector* values, const Lanes& lanes) override;
  int64_t bytes() const override { return int64_t(sums.capacity() * 8); }
  int64_t bytes_per_group() const override { return 8; }
  void clear() override { sums.release(); }
  Array<double> sums;
};

// Least or greatest value of a type whose order is that of an integer (floats by their ordered bits).
template <class T> class Extreme final : public Accumulator {
 public:
  explicit Extreme(bool greatest) : greatest_(greatest) {}
  void resize(int64_t groups) override;
  void absorb(const Accumulator& other, const Moves& moves) override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void update(const Vector* values, const Lanes& lanes) override;
  int64_t bytes() const override { return int64_t(best.capacity() * sizeof(T)); }
  int64_t bytes_per_group() const override { return int64_t(sizeof(T)); }
  void clear() override { best.release(); }
  Array<T> best;

 private:
  bool greatest_;
};

// Least or greatest interval, with a month as 30 days and a day as 24 hours; the value itself is kept.
class IntervalExtreme final : public Accumulator {
 public:
  explicit IntervalExtreme(bool greatest) : greatest_(greatest) {}
  void resize(int64_t groups) override { best_.resize_zero(size_t(groups)); }
  void absorb(const Accumulator& other, const Moves& moves) override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void update(const Vector* values, const Lanes& lanes) override;
  int64_t bytes() const override { return int64_t(best_.capacity() * sizeof(Entry)); }
  int64_t bytes_per_group() const override { return int64_t(sizeof(Entry)); }
  void clear() override { best_.release(); }
  int128 at(int64_t group) const { return best_[size_t(group)].value; }

 private:
  void offer(uint32_t group, int128 value);
  struct Entry {
    int128 value = 0, length = 0;
    bool present = false;
  };
  bool greatest_;
  Array<Entry> best_;
};

// Least or greatest string, by bytes.
class TextExtreme final : public Accumulator {
 public:
  explicit TextExtreme(bool greatest) : greatest_(greatest) {}
  void resize(int64_t groups) override { best_.resize_zero(size_t(groups)); }
  void absorb(const Accumulator& other, const Moves& moves) override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void update(const Vector* values, const Lanes& lanes) override;
  int64_t bytes() const override { return int64_t(best_.capacity() * sizeof(Entry)) + page_bytes_; }
  int64_t bytes_per_group() const override { return int64_t(sizeof(Entry)); }
  void clear() override;
  bool has(int64_t group) const { return best_[size_t(group)].data != nullptr; }
  std::string_view at(int64_t group) const { return {best_[size_t(group)].data, best_[size_t(group)].length}; }

 private:
  struct Entry {
    char* data = nullptr;
    uint32_t length = 0, capacity = 0;
  };
  void offer(uint32_t group, std::string_view text);
  void store(Entry& entry, std::string_view text);
  char* take(size_t bytes);
  bool greatest_;
  Array<Entry> best_;
  std::vector<std::unique_ptr<char[]>> pages_;
  size_t page_used_ = 0, page_size_ = 0;
  int64_t page_bytes_ = 0;
};

// What variances are computed from.
class MomentStates : public Accumulator {
 public:
  struct State {
    int64_t count = 0;
    double mean = 0.0, deviation = 0.0;
  };
  virtual State at(int64_t group) const = 0;
};

// Count, mean and sum of squared deviations: Welford, "Note on a method for calculating corrected sums of squares" (1962);
// merged as Chan, Golub and LeVeque (1979).
class Moments final : public MomentStates {
 public:
  State at(int64_t group) const override { return states[size_t(group)]; }
  explicit Moments(double scale) : scale_(scale) {}
  void resize(int64_t groups) override { states.resize_zero(size_t(groups)); }
  void absorb(const Accumulator& other, const Moves& moves) override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void update(const Vector* values, const Lanes& lanes) override;
  void merge(State& into, const State& other);
  void merge(const Vector& counts, const Vector& means, const Vector& deviations, const Lanes& lanes);
  int64_t bytes() const override { return int64_t(states.capacity() * sizeof(State)); }
  int64_t bytes_per_group() const override { return int64_t(sizeof(State)); }
  void clear() override { states.release(); }
  Array<State> states;

 private:
  double scale_;  // decimals: what their scaled integers are divided by
};

}  // namespace tableflow
