// An aggregate call: which accumulators it keeps and how its states and result are read from them.
#pragma once

#include "aggregate_state.h"

namespace tableflow {

enum class AggregateFunction : uint8_t { Count, CountIf, Sum, Avg, Min, Max, StddevSamp, StddevPop, VarSamp, VarPop };

// A call as the plan states it.  Arguments and the filter are positions among the vectors given to update.
struct AggregateSpec {
  std::string function;        // as in the plan; any_value, bool_and and bool_or are min, min and max
  std::vector<int> arguments;  // count has none or several
  int filter = -1;
  bool distinct = false;
  std::vector<std::string> formats;  // canonical Arrow format of each argument
  std::string result;  // canonical Arrow format of the result
  bool merging = false;  // the arguments are the call's states
  bool changing = false;  // rows may be taken away again
};

// An accumulator and the rows it sees.
struct Slot {
  std::unique_ptr<Accumulator> accumulator;
  int argument = -1;
  int filter = -1;
  int distinct = -1;   // position of the set of distinct values it draws from
  bool skips_nulls = true;
  std::unique_ptr<Presence> presence;  // for those whose result is NULL without a value
};

class AggregateOverflow : public std::overflow_error {
 public:
  AggregateOverflow(int call_index, const char* message) : std::overflow_error(message), call(call_index) {}
  int call;
};

class AggregateCallState {
 public:
  // Adds what the call needs to `slots`, or finds it there: calls over the same rows share accumulators.
  AggregateCallState(int number, const AggregateSpec& spec, int distinct, std::vector<Slot>& slots);

  int state_count() const;
  VectorPtr result(const std::vector<Slot>& slots, const Groups& of) const;
  void states(const std::vector<Slot>& slots, const Groups& of, std::vector<VectorPtr>& out) const;

 private:
  int find(std::vector<Slot>& slots, std::unique_ptr<Accumulator> accumulator, int argument, bool presence, bool skips_nulls);
  VectorPtr sum_column(const Slot& slot, const Groups& of) const;
  std::unique_ptr<Accumulator> new_extreme() const;
  VectorPtr extreme_column(const Slot& slot, const Groups& of) const;
  VectorPtr ordered_column(const Slot& slot, const Groups& of) const;
  VectorPtr average(const std::vector<Slot>& slots, const Groups& of) const;
  VectorPtr spread(const MomentStates& moments, const Groups& of) const;

  int number_;
  std::string format_;  // of the first argument
  AggregateFunction function_;
  AggregateSpec spec_;
  int distinct_;
  bool exact_ = false;  // sums of integers
  double scale_ = 1.0;
  int value_ = -1, count_ = -1;  // slots
};

}  // namespace tableflow
