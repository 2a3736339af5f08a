#include "aggregate_state.h"

#include <algorithm>

#include "interval.h"

namespace tableflow {

namespace {

// Calls f with a function from position to value, one instantiation per kind of number.
template <class F> void with_numbers(const Vector& v, const Lanes& lanes, F f) {
  const uint32_t* index = lanes.index;
  const auto typed = [&]<class T>(const T* values) {
    values += lanes.base;
    f([values, index](int i) { return value_at(values, index[i]); });
  };
  switch (v.kind) {
    case Kind::I8: return typed(v.values<int8_t>());
    case Kind::I16: return typed(v.values<int16_t>());
    case Kind::I32: return typed(v.values<int32_t>());
    case Kind::I64: return typed(v.values<int64_t>());
    case Kind::I128: case Kind::Interval: return typed(v.values<int128>());
    case Kind::F32: return typed(v.values<float>());
    case Kind::F64: return typed(v.values<double>());
    case Kind::Bool:
      return f([bits = v.data, at = v.offset + lanes.base, index](int i) { return int8_t(bit(bits, at + index[i])); });
    default: throw std::invalid_argument("an aggregate's argument is not stored as a number");
  }
}

// combine(accumulated, value) for every lane; a run is combined into a local first, starting from `neutral`.
template <class A, class Get, class Combine>
void accumulate(Array<A>& all, const Lanes& lanes, A neutral, Get get, Combine combine) {
  A* state = all.data();
  if (lanes.runs) {
    for (int r = 0; r < lanes.run_count; ++r) {
      const Run run = lanes.runs[r];
      A local = neutral;
      for (int i = run.begin; i < run.end; ++i) local = combine(local, get(i));
      state[run.group] = combine(state[run.group], local);
    }
    return;
  }
  for (int i = 0; i < lanes.n; ++i) state[lanes.groups[i]] = combine(state[lanes.groups[i]], get(i));
}

// The sum of a run of a piece.  Values are below 2^52 in general, and then 64 bits hold it; whether they were is seen behind it.
template <class Get> int128 sum_of(const Run& run, Get get) {
  constexpr int bits = 52;
  static_assert(piece_rows <= 1 << (64 - 1 - bits));
  int64_t sum = 0;
  uint64_t any = 0;
  for (int i = run.begin; i < run.end; ++i) {
    sum = int64_t(uint64_t(sum) + uint64_t(get(i)));
    any |= uint64_t(get(i)) + (uint64_t(1) << (bits - 1));
  }
  if (any >> bits == 0) [[likely]]
    return sum;
  int128 wide = 0;
  for (int i = run.begin; i < run.end; ++i) wide += get(i);
  return wide;
}

}  // namespace

void Count::update(const Vector* values, const Lanes& lanes) {
  if (lanes.weights) {
    if (merging_) throw std::invalid_argument("states are not taken away");
    for (int i = 0; i < lanes.n; ++i) counts[lanes.groups[i]] += lanes.weights[i];
  } else if (merging_) {
    with_numbers(*values, lanes, [&](auto get) {
      accumulate(counts, lanes, int64_t(0), [&](int i) { return int64_t(get(i)); }, [](int64_t a, int64_t b) { return a + b; });
    });
  } else if (lanes.runs) {
    for (int r = 0; r < lanes.run_count; ++r) counts[lanes.runs[r].group] += lanes.runs[r].end - lanes.runs[r].begin;
  } else {
    for (int i = 0; i < lanes.n; ++i) ++counts[lanes.groups[i]];
  }
}

void CountTrue::update(const Vector* values, const Lanes& lanes) {
  if (values->kind != Kind::Bool) throw std::invalid_argument("count_if takes a boolean");
  with_numbers(*values, lanes, [&](auto get) {
    accumulate(counts, lanes, int64_t(0), [&](int i) { return int64_t(get(i)) * lanes.weight(i); },
               [](int64_t a, int64_t b) { return a + b; });
  });
}

void IntegerSum::resize(int64_t groups) {
  if (narrow_) {
    narrow_sums_.resize_zero(size_t(groups));
  } else {
    wide_sums_.resize_zero(size_t(groups));
  }
  if (!wraps_.empty()) wraps_.resize(size_t(groups), 0);
}

void IntegerSum::update(const Vector* values, const Lanes& lanes) {
  const Vector& v = *values;
  if (lanes.weights) {
    add_weighted(v, lanes);
    return;
  }
  if (v.kind == Kind::I128) {
    add_wide(v, lanes);
    return;
  }
  if (v.kind == Kind::F32 || v.kind == Kind::F64) throw std::invalid_argument("an exact sum takes integers");
  with_numbers(v, lanes, [&](auto get) {
    if (narrow_) {
      accumulate(narrow_sums_, lanes, int64_t(0), [&](int i) { return int64_t(get(i)); }, [](int64_t a, int64_t b) {
        return int64_t(uint64_t(a) + uint64_t(b));
      });
    } else if (v.kind == Kind::I64 && lanes.runs) {
      for (int r = 0; r < lanes.run_count; ++r) {
        const Run run = lanes.runs[r];
        wide_sums_[run.group] += sum_of(run, [&](int i) { return int64_t(get(i)); });
      }
    } else if (!lanes.runs) {
      accumulate(wide_sums_, lanes, int128(0), [&](int i) { return int128(get(i)); }, [](int128 a, int128 b) { return a + b; });
    } else {  // a piece's sum of 32-bit values fits 64 bits
      for (int r = 0; r < lanes.run_count; ++r) {
        const Run run = lanes.runs[r];
        int64_t local = 0;
        for (int i = run.begin; i < run.end; ++i) local += int64_t(get(i));
        wide_sums_[run.group] += local;
      }
    }
  });
}

void IntegerSum::add_wide(const Vector& v, const Lanes& lanes) {
  if (narrow_) throw std::invalid_argument("a narrow sum takes narrow integers");
  const int128* from = v.values<int128>() + lanes.base;
  for (int i = 0; i < lanes.n; ++i) {
    const uint32_t group = lanes.groups[i];
    const int128 value = value_at(from, lanes.index[i]);
    int128& sum = wide_sums_[group];
    if (__builtin_add_overflow(sum, value, &sum)) wrapped(group, value > 0 ? 1 : -1);
  }
}

void IntegerSum::add_weighted(const Vector& v, const Lanes& lanes) {
  if (v.kind == Kind::F32 || v.kind == Kind::F64) throw std::invalid_argument("an exact sum takes integers");
  with_numbers(v, lanes, [&](auto get) {
    for (int i = 0; i < lanes.n; ++i) {
      if (narrow_) {
        int64_t& sum = narrow_sums_[lanes.groups[i]];
        sum = int64_t(uint64_t(sum) + uint64_t(int64_t(get(i))) * uint64_t(lanes.weights[i]));
      } else {
        add(lanes.groups[i], int128(get(i)), lanes.weights[i]);
      }
    }
  });
}

// The value so many times; what leaves 128 bits on the way is counted as often as it does.
void IntegerSum::add(uint32_t group, int128 value, int64_t times) {
  int128 product;
  if (__builtin_mul_overflow(value, int128(times), &product)) {
    // A decimal of 38 digits: halves of a weight that is not one.
    add(group, value, times / 2);
    add(group, value, times - times / 2);
    return;
  }
  int128& sum = wide_sums_[group];
  if (__builtin_add_overflow(sum, product, &sum)) wrapped(group, product > 0 ? 1 : -1);
}

void IntegerSum::wrapped(uint32_t group, int32_t by) {
  if (wraps_.size() < wide_sums_.size()) wraps_.resize(wide_sums_.size(), 0);
  wraps_[group] += by;
}

int64_t IntegerSum::bytes() const {
  return int64_t(narrow_sums_.capacity() * 8 + wide_sums_.capacity() * 16 + wraps_.capacity() * 4);
}

void IntegerSum::clear() {
  narrow_sums_.release();
  wide_sums_.release();
  wraps_.clear();
}

void FloatSum::update(const Vector* values, const Lanes& lanes) {
  with_numbers(*values, lanes, [&](auto get) {
    accumulate(sums, lanes, -0.0, [&](int i) { return double(get(i)); }, [](double a, double b) { return a + b; });
  });
}

template <class T> void Extreme<T>::resize(int64_t groups) {
  T neutral = T(1) << (sizeof(T) * 8 - 2);  // the largest value, without overflow on the way
  neutral += neutral - 1;
  best.resize(size_t(groups), greatest_ ? T(-neutral - 1) : neutral);
}

template <class T> void Extreme<T>::update(const Vector* values, const Lanes& lanes) {
  const bool real = values->kind == Kind::F32 || values->kind == Kind::F64;
  if (values->kind == Kind::I128 && sizeof(T) < 16) {
    // A decimal of at most 18 digits in its canonical representation.
    with_numbers(*values, lanes, [&](auto get) {
      for (int i = 0; i < lanes.n; ++i)
        if (int128(int64_t(get(i))) != int128(get(i))) throw std::invalid_argument("a decimal has more digits than its type");
    });
  }
  with_numbers(*values, lanes, [&](auto get) {
    const auto value = [&](int i) { return real ? T(ordered_bits(double(get(i)))) : T(get(i)); };
    T neutral = T(1) << (sizeof(T) * 8 - 2);
    neutral += neutral - 1;
    if (greatest_) {
      accumulate(best, lanes, T(-neutral - 1), value, [](T a, T b) { return a > b ? a : b; });
    } else {
      accumulate(best, lanes, neutral, value, [](T a, T b) { return a < b ? a : b; });
    }
  });
}

template class Extreme<int64_t>;
template class Extreme<int128>;

void IntervalExtreme::update(const Vector* values, const Lanes& lanes) {
  if (values->kind != Kind::Interval) throw std::invalid_argument("an aggregate's argument is not stored as an interval");
  const int128* from = values->values<int128>() + lanes.base;
  for (int i = 0; i < lanes.n; ++i) offer(lanes.groups[i], value_at(from, lanes.index[i]));
}

void IntervalExtreme::offer(uint32_t group, int128 value) {
  const int128 length = interval_length(&value);
  Entry& entry = best_[group];
  if (entry.present && length == entry.length) {
    if (interval_spelling(value) > interval_spelling(entry.value)) entry.value = value;
    return;
  }
  if (entry.present && (greatest_ ? length < entry.length : length > entry.length)) return;
  entry.value = value;
  entry.length = length;
  entry.present = true;
}

char* TextExtreme::take(size_t bytes) {
  if (pages_.empty() || page_used_ + bytes > page_size_) {
    page_size_ = std::max(bytes, std::clamp<size_t>(size_t(page_bytes_), 1024, 1 << 20));
    pages_.push_back(std::make_unique_for_overwrite<char[]>(page_size_));
    page_bytes_ += int64_t(page_size_);
    page_used_ = 0;
  }
  char* at = pages_.back().get() + page_used_;
  page_used_ += bytes;
  return at;
}

void TextExtreme::store(Entry& entry, std::string_view text) {
  if (!entry.data || text.size() > entry.capacity) {
    // Doubling: what a group abandons is less than what it holds.
    entry.capacity = uint32_t(std::max<size_t>({text.size(), size_t(entry.capacity) * 2, 8}));
    entry.data = take(entry.capacity);
  }
  entry.length = uint32_t(text.size());
  if (!text.empty()) std::memcpy(entry.data, text.data(), text.size());
}

void TextExtreme::update(const Vector* values, const Lanes& lanes) {
  const Vector& v = *values;
  if (v.kind != Kind::Dict && v.kind != Kind::Str && v.kind != Kind::LargeStr)
    throw std::invalid_argument("an aggregate's argument is not stored as text");
  for (int i = 0; i < lanes.n; ++i) offer(lanes.groups[i], text_at(v, lanes.base + lanes.index[i]));
}

void TextExtreme::offer(uint32_t group, std::string_view text) {
  Entry& entry = best_[group];
  const std::string_view held(entry.data ? entry.data : "", entry.length);
  if (!entry.data || (greatest_ ? text > held : text < held)) store(entry, text);
}

void TextExtreme::clear() {
  best_.release();
  pages_.clear();
  page_used_ = page_size_ = 0;
  page_bytes_ = 0;
}

void Moments::update(const Vector* values, const Lanes& lanes) {
  with_numbers(*values, lanes, [&](auto get) {
    for (int i = 0; i < lanes.n; ++i) {
      State& s = states[lanes.groups[i]];
      const double value = double(get(i)) / scale_;
      const double before = value - s.mean;
      ++s.count;
      s.mean += before / double(s.count);
      s.deviation += before * (value - s.mean);
    }
  });
}

void Moments::merge(const Vector& counts, const Vector& means, const Vector& deviations, const Lanes& lanes) {
  if (counts.kind != Kind::I64 || means.kind != Kind::F64 || deviations.kind != Kind::F64)
    throw std::invalid_argument("states of a variance are a count and two doubles");
  for (int i = 0; i < lanes.n; ++i) {
    const int64_t row = lanes.base + lanes.index[i];
    const int64_t count = counts.values<int64_t>()[row];
    merge(states[lanes.groups[i]], {count, means.values<double>()[row], deviations.values<double>()[row]});
  }
}

void Moments::merge(State& into, const State& other) {
  if (other.count == 0) return;
  if (into.count == 0) {  // the square of what is apart from nothing may be infinite, and nothing times it no number
    into = other;
    return;
  }
  const double total = double(into.count + other.count), apart = other.mean - into.mean;
  into.deviation += other.deviation + apart * apart * (double(into.count) * double(other.count) / total);
  into.mean += apart * (double(other.count) / total);
  into.count += other.count;
}

}  // namespace tableflow
