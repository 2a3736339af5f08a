#include <cmath>

#include "group_memory.h"
#include "nearest.h"
#include "window_distinct.h"

namespace tableflow::windows {

namespace {

enum class Reading : uint8_t { Count, Sum, Avg, StddevSamp, StddevPop, VarSamp, VarPop };

Reading reading_of(const std::string& function) {
  if (function == "count") return Reading::Count;
  if (function == "sum") return Reading::Sum;
  if (function == "avg") return Reading::Avg;
  if (function == "stddev_samp") return Reading::StddevSamp;
  if (function == "stddev_pop") return Reading::StddevPop;
  if (function == "var_samp") return Reading::VarSamp;
  if (function == "var_pop") return Reading::VarPop;
  throw std::invalid_argument("no sum: " + function);
}

int scale_of(const std::string& format) {
  return format.empty() || format[0] != 'd' ? 0 : std::stoi(format.substr(format.find(',') + 1));
}

bool is_real(const Vector& v) { return v.kind == Kind::F32 || v.kind == Kind::F64; }

double real_at(const Vector& v, int64_t row) {
  return v.kind == Kind::F32 ? double(v.values<float>()[row]) : v.values<double>()[row];
}

// Where to stop on the way from `at` to `end`, so that no more than `left` rows are looked at, which are taken off.
int64_t within(int64_t at, int64_t end, int64_t& left) {
  const int64_t rows = std::max<int64_t>(0, std::min(end - at, left));
  left -= rows;
  return at + rows;
}

// Fixed-width results with NULLs, written row by row.
template <class T> class Writer {
 public:
  explicit Writer(int64_t n) : n_(n), data_(std::make_shared<Buffer>(size_t(n) * sizeof(T))), bits_(std::make_shared<Buffer>(size_t(n + 7) / 8)) {
    std::memset(bits_->data(), 0, bits_->size());
  }
  void value(int64_t i, T value) {
    data_->template as<T>()[i] = value;
    set_bit(bits_->data(), i);
  }
  void null(int64_t i) {
    data_->template as<T>()[i] = T();
    ++nulls_;
  }
  VectorPtr finish(Kind kind, const std::string& format) {
    return make_fixed(kind, format, n_, std::move(data_), nulls_ ? std::move(bits_) : nullptr, nulls_);
  }

 private:
  int64_t n_, nulls_ = 0;
  BufferPtr data_, bits_;
};

// Sums of integers, exact: 128 bits and a count of wrap-arounds beyond, so that what entered can leave again.
class ExactSum final : public FrameSum {
 public:
  ExactSum(Reading reading, int scale, std::string result, VectorPtr values, bool distinct)
      : reading_(reading), scale_(scale), result_(std::move(result)), values_(std::move(values)) {
    if (distinct) distinct_ = std::make_unique<Multiplicities>(*values_);
  }

  Work next(Ends frames, VectorPtr& result) override {
    check_frames(frames, values_->length);
    if (reading_ == Reading::Count) {
      Writer<int64_t> out(frames.n);
      const auto write = [&](int64_t i) { out.value(i, count_); };
      for (int64_t i = 0; (i = each(frames, i, write)) < frames.n;) co_await give_way;
      result = out.finish(Kind::I64, "l");
      co_return;
    }
    if (reading_ == Reading::Avg) {
      Writer<double> out(frames.n);
      const uint128 fives = power_of_five(scale_);
      const auto write = [&](int64_t i) {
        if (!count_) return out.null(i);
        if (wraps_) throw std::overflow_error("decimal overflow");
        const double magnitude = nearest_quotient<53>(sum_ < 0 ? -uint128(sum_) : uint128(sum_), uint128(count_) * fives, -scale_);
        out.value(i, sum_ < 0 ? -magnitude : magnitude);
      };
      for (int64_t i = 0; (i = each(frames, i, write)) < frames.n;) co_await give_way;
      result = out.finish(Kind::F64, "g");
      co_return;
    }
    if (result_[0] != 'd') {
      Writer<int64_t> out(frames.n);
      const auto write = [&](int64_t i) {
        if (!count_) return out.null(i);
        if (wraps_ || int64_t(sum_) != sum_) throw std::overflow_error("integer overflow");
        out.value(i, int64_t(sum_));
      };
      for (int64_t i = 0; (i = each(frames, i, write)) < frames.n;) co_await give_way;
      result = out.finish(Kind::I64, "l");
      co_return;
    }
    int128 limit = 1;
    for (int i = 0; i < 38; ++i) limit *= 10;
    Writer<int128> out(frames.n);
    const auto write = [&](int64_t i) {
      if (!count_) return out.null(i);
      if (wraps_ || sum_ >= limit || sum_ <= -limit) throw std::overflow_error("decimal overflow");
      out.value(i, sum_);
    };
    for (int64_t i = 0; (i = each(frames, i, write)) < frames.n;) co_await give_way;
    result = out.finish(Kind::I128, result_);
  }

  int64_t bytes() const override { return distinct_ ? distinct_->bytes() : 0; }

 private:
  // Frames from the i-th on, until many rows have entered or left; the first that is not done.
  template <class Write> int64_t each(Ends frames, int64_t i, const Write& write) {
    const Vector& v = *values_;
    const auto run = [&](auto get) {
      for (int64_t left = stretch; i < frames.n; ++i) {
        const int64_t low = frames.low[i];
        if (low >= end_ || low < start_ || frames.high[i] < end_) {  // nothing in common with the frame before, or it moves back
          sum_ = 0;
          wraps_ = count_ = 0;
          if (distinct_) distinct_->clear();
          start_ = end_ = low;
        }
        for (const int64_t stop = within(end_, frames.high[i], left); end_ < stop; ++end_) {
          if (!sorting::is_null(v, end_) && (!distinct_ || distinct_->enter(end_))) {
            wraps_ += __builtin_add_overflow(sum_, int128(get(end_)), &sum_) ? (get(end_) > 0 ? 1 : -1) : 0;
            ++count_;
          }
        }
        if (end_ < frames.high[i]) return;
        for (const int64_t stop = within(start_, low, left); start_ < stop; ++start_) {
          if (!sorting::is_null(v, start_) && (!distinct_ || distinct_->leave(start_))) {
            wraps_ -= __builtin_sub_overflow(sum_, int128(get(start_)), &sum_) ? (get(start_) > 0 ? 1 : -1) : 0;
            --count_;
          }
        }
        if (start_ < low) return;
        write(i);
      }
    };
    if (reading_ == Reading::Count || v.kind == Kind::Null) {
      run([](int64_t) { return int64_t(0); });
    } else {
      sorting::with_numbers(v, run);
    }
    return i;
  }

  Reading reading_;
  int scale_;  // decimals: digits behind the point
  std::string result_;
  VectorPtr values_;
  std::unique_ptr<Multiplicities> distinct_;
  int128 sum_ = 0;
  int64_t wraps_ = 0, count_ = 0, start_ = 0, end_ = 0;
};

struct Floats {
  double sum = 0.0;
  int64_t count = 0;
  void add(double value) {
    sum = count++ ? sum + value : value;
  }
  void add(const Floats& other) {
    if (!other.count) return;
    sum = count ? sum + other.sum : other.sum;
    count += other.count;
  }
};

// As in aggregate_state.h: Welford (1962), merged as Chan, Golub and LeVeque (1979).
struct Spread {
  int64_t count = 0;
  double mean = 0.0, deviation = 0.0;
  void add(double value) {
    const double before = value - mean;
    ++count;
    mean += before / double(count);
    deviation += before * (value - mean);
  }
  void add(const Spread& other) {
    if (!other.count) return;
    if (!count) {  // nothing is apart from no values: the square of that may be infinite, and nothing times it no number
      *this = other;
      return;
    }
    const double total = double(count + other.count), apart = other.mean - mean;
    deviation += other.deviation + apart * apart * (double(count) * double(other.count) / total);
    mean += apart * (double(other.count) / total);
    count += other.count;
  }
};

double read(Reading reading, const Floats& state, bool& present) {
  present = state.count > 0;
  return reading == Reading::Avg ? state.sum / double(std::max<int64_t>(1, state.count)) : state.sum;
}

double read(Reading reading, const Spread& state, bool& present) {
  const bool sample = reading == Reading::StddevSamp || reading == Reading::VarSamp;
  present = state.count >= (sample ? 2 : 1);
  if (!present) return 0.0;
  const double variance = state.deviation / double(sample ? state.count - 1 : state.count);
  return reading == Reading::StddevSamp || reading == Reading::StddevPop ? std::sqrt(variance) : variance;
}

// Partial aggregates that can only grow: [start, middle) as suffixes, [middle, end) as one.
template <class State> class Stacks final : public FrameSum {
 public:
  Stacks(Reading reading, double scale, VectorPtr values, bool distinct)
      : reading_(reading), scale_(scale), values_(std::move(values)) {
    if (distinct) distinct_ = std::make_unique<Multiplicities>(*values_);
  }

  Work next(Ends frames, VectorPtr& result) override {
    check_frames(frames, values_->length);
    Writer<double> out(frames.n);
    for (int64_t i = 0; (i = run(frames, i, out)) < frames.n;) co_await give_way;
    result = out.finish(Kind::F64, "g");
  }

  int64_t bytes() const override { return int64_t(front_.capacity() * sizeof(State)) + (distinct_ ? distinct_->bytes() : 0); }

 private:
  // Frames from the i-th on, until many rows have been looked at; the first that is not done.
  int64_t run(Ends frames, int64_t i, Writer<double>& out) {
    for (int64_t left = stretch; i < frames.n; ++i) {
      if (!move(frames.low[i], frames.high[i], left)) return i;
      State state = frames.low[i] < middle_ ? front_[size_t(frames.low[i] - base_)] : State();
      state.add(back_);
      bool present = false;
      const double value = read(reading_, state, present);
      present ? out.value(i, value) : out.null(i);
    }
    return i;
  }

  // Whether the frame is reached before so many rows have been looked at.
  bool move(int64_t low, int64_t high, int64_t& left) {
    if ((low >= end_ || low < base_ || high < end_) && turning_ < 0) {  // nothing in common with the frame before, or it moves back
      front_.clear();
      back_ = State();
      if (distinct_) distinct_->clear();
      base_ = middle_ = end_ = low;
    }
    for (const int64_t stop = within(end_, high, left); end_ < stop; ++end_) enter(back_, end_);
    if (end_ < high) return false;
    return low <= middle_ || turn(low, left);
  }

  // What is behind the middle becomes suffixes, from the last one on: element k of front is the aggregate of [base + k, end).
  bool turn(int64_t low, int64_t& left) {
    if (distinct_) throw std::invalid_argument("distinct floats cannot leave a frame");
    if (turning_ < 0) {
      front_.resize_raw(size_t(end_ - low));
      suffix_ = State();
      turning_ = end_;
    }
    for (int64_t some = within(low, turning_, left) - low; some > 0; --some) {
      enter(suffix_, --turning_);
      front_[size_t(turning_ - low)] = suffix_;
    }
    if (turning_ > low) return false;
    turning_ = -1;
    back_ = State();
    base_ = low;
    middle_ = end_;
    return true;
  }

  void enter(State& state, int64_t row) {
    const Vector& v = *values_;
    if (sorting::is_null(v, row) || (distinct_ && !distinct_->enter(row))) return;
    if (is_real(v)) {
      state.add(real_at(v, row) / scale_);
    } else {
      sorting::with_numbers(v, [&](auto get) { state.add(double(get(row)) / scale_); });
    }
  }

  Reading reading_;
  double scale_;
  VectorPtr values_;
  std::unique_ptr<Multiplicities> distinct_;
  Array<State> front_;
  State back_, suffix_;
  int64_t turning_ = -1;  // while suffixes are made: the rows from here on are in them
  int64_t base_ = 0, middle_ = 0, end_ = 0;
};

}  // namespace

std::unique_ptr<FrameSum> make_frame_sum(const std::string& function, const std::string& format, const std::string& result,
                                         VectorPtr values, bool distinct) {
  const Reading reading = reading_of(function);
  if (values->kind == Kind::Nested) throw std::invalid_argument("single values are aggregated only");
  if (reading == Reading::Count) return std::make_unique<ExactSum>(reading, 0, result, std::move(values), distinct);
  const Kind kind = values->kind;
  if (kind == Kind::Str || kind == Kind::LargeStr || kind == Kind::Dict || kind == Kind::Interval || kind == Kind::Bool || result.empty())
    throw std::invalid_argument("numbers are summed");
  const int digits = scale_of(format);
  const double scale = std::pow(10.0, digits);
  if (reading >= Reading::StddevSamp) return std::make_unique<Stacks<Spread>>(reading, scale, std::move(values), distinct);
  if (is_real(*values) || format == "g" || format == "f") return std::make_unique<Stacks<Floats>>(reading, scale, std::move(values), distinct);
  return std::make_unique<ExactSum>(reading, digits, result, std::move(values), distinct);
}

}  // namespace tableflow::windows
