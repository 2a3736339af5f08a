// Windows over sorted rows: where keys change, how far a RANGE frame reaches, and aggregates over frames that move forward.
//
// A frame [low[i], high[i]) belongs to each row of a slice, slices come in order, and ends seldom move back (a month before March 31 at
// noon is after a month before March 30 at night): then an aggregate begins anew, else every value enters and leaves it once.  What cannot be taken out of a sum again (floats, variances) is kept as two
// stacks of partial aggregates; extremes are kept as a queue of the values that may still win.
// After Tangwongsan, Hirzel and Schneider, "Low-Latency Sliding-Window Aggregation in Worst-Case Constant Time" (2017).
#pragma once

#include <span>

#include "sort_compare.h"
#include "work.h"

namespace tableflow::windows {

using Columns = std::span<const VectorPtr>;

// Rows that enter or leave frames between two looks at the time.
constexpr int64_t stretch = 8192;

// Rows i of [1, n) whose keys differ from those of row i - 1 (NULLs are equal, -0.0 equals 0.0, NaN equals NaN).
std::vector<int64_t> key_changes(Columns keys, int64_t n);

struct Ends {
  const int64_t* low;
  const int64_t* high;
  int64_t n;
};

// For rows [first, first + n) of sorted `keys`, each in the partition that `partition` gives: the first row whose key does not come
// before the row's bound (`beyond`: comes after it).
void range_ends(const Vector& keys, const Vector& bounds, int64_t first, Ends partition, sorting::Direction direction, bool beyond,
                int64_t* out);

// SUM, AVG, variances, and COUNT (DISTINCT) over the frames of rows.
class FrameSum {
 public:
  virtual ~FrameSum() = default;
  // Values for the next frames, in `out`; throws std::overflow_error for a sum that its type cannot hold.
  virtual Work next(Ends frames, VectorPtr& out) = 0;
  virtual int64_t bytes() const = 0;
};

// `format`: the canonical format of the argument's type; `result`: that of the result.
std::unique_ptr<FrameSum> make_frame_sum(const std::string& function, const std::string& format, const std::string& result,
                                         VectorPtr values, bool distinct);

// The row with the least or greatest value of each frame, the first of several; -1 for frames without a value.
class FrameExtreme {
 public:
  virtual ~FrameExtreme() = default;
  virtual Work next(Ends frames, int64_t* out) = 0;
  virtual int64_t bytes() const = 0;
};

std::unique_ptr<FrameExtreme> make_frame_extreme(VectorPtr values, bool greatest);

// Frames must lie inside the rows; throws std::invalid_argument.
inline void check_frames(Ends frames, int64_t rows) {
  for (int64_t i = 0; i < frames.n; ++i) {
    const int64_t low = frames.low[i], high = frames.high[i];
    if (low < 0 || high < low || high > rows) throw std::invalid_argument("a frame leaves its rows");
  }
}

}  // namespace tableflow::windows
