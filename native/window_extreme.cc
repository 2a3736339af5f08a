#include <utility>

#include "interval.h"
#include "window.h"

namespace tableflow::windows {

namespace {

// Rows that may still be the extreme of a frame, in order, each better than the next.
template <class Get> class Queue final : public FrameExtreme {
 public:
  Queue(VectorPtr values, Get get, bool greatest) : values_(std::move(values)), get_(get), greatest_(greatest) {}

  Work next(Ends frames, int64_t* out) override {
    check_frames(frames, values_->length);
    for (int64_t i = 0; (i = run(frames, i, out)) < frames.n;) co_await give_way;
    if (head_ > 4096 && head_ * 2 > rows_.size()) {
      rows_.erase(rows_.begin(), rows_.begin() + int64_t(head_));
      head_ = 0;
    }
  }

  int64_t bytes() const override { return int64_t(rows_.capacity() * 8); }

 private:
  // Frames from the i-th on, until many rows have entered; the first that is not done.
  int64_t run(Ends frames, int64_t i, int64_t* out) {
    const Vector& v = *values_;
    for (int64_t left = stretch; i < frames.n; ++i) {
      const int64_t low = frames.low[i];
      if (low < low_ || frames.high[i] < end_) {  // it moves back
        rows_.clear();
        head_ = 0;
        end_ = low;
      }
      low_ = low;
      if (end_ < low) end_ = low;
      for (; end_ < frames.high[i]; ++end_) {
        if (left-- == 0) return i;
        if (!sorting::is_null(v, end_)) push(end_);
      }
      while (head_ < rows_.size() && rows_[head_] < low) ++head_;
      if (head_ == rows_.size()) {
        rows_.clear();
        head_ = 0;
      }
      out[i] = head_ < rows_.size() && rows_[head_] < frames.high[i] ? rows_[head_] : -1;
    }
    return i;
  }

  void push(int64_t row) {
    const auto value = get_(row);
    while (rows_.size() > head_) {
      const auto last = get_(rows_.back());
      if (greatest_ ? !(last < value) : !(value < last)) break;
      rows_.pop_back();
    }
    rows_.push_back(row);
  }

  VectorPtr values_;
  Get get_;
  bool greatest_;
  std::vector<int64_t> rows_;
  size_t head_ = 0;
  int64_t end_ = 0, low_ = 0;
};

template <class Get> std::unique_ptr<FrameExtreme> queue(VectorPtr values, Get get, bool greatest) {
  return std::make_unique<Queue<Get>>(std::move(values), get, greatest);
}

}  // namespace

std::unique_ptr<FrameExtreme> make_frame_extreme(VectorPtr values, bool greatest) {
  const Vector& v = *values;
  if (v.kind == Kind::Nested) throw std::invalid_argument("values of a nested type have no order");
  if (v.kind == Kind::Null) return queue(values, [](int64_t) { return 0; }, greatest);
  if (v.kind == Kind::Str || v.kind == Kind::LargeStr || v.kind == Kind::Dict) {
    const Vector* at = values.get();
    return queue(values, [at](int64_t row) { return sorting::text_of(*at, row); }, greatest);
  }
  if (v.kind == Kind::Interval) {  // of equal ones the spelling that stands for them, wherever in the frame it is
    const uint8_t* at = v.data + v.offset * 16;
    return queue(values, [at, sign = greatest ? 1 : -1](int64_t row) {
      int128 value;
      std::memcpy(&value, at + row * 16, 16);
      return std::pair<int128, int64_t>(interval_length(&value), sign * interval_spelling(value));
    }, greatest);
  }
  std::unique_ptr<FrameExtreme> made;
  sorting::with_numbers(v, [&](auto get) { made = queue(values, get, greatest); });
  return made;
}

}  // namespace tableflow::windows
