// How long one call of a kernel may go on when its work can be cut: the caller looks at cancellation between calls.
#pragma once

#include <chrono>
#include <cstdint>

namespace tableflow {

class Deadline {
 public:
  // Look at the clock only after so many random writes: each may fault in a page of two megabytes.
  static constexpr int64_t stride = 8;
  static constexpr int64_t usual = 5'000'000;

  // From now on; with 0 it has passed, which is for tests: work stops wherever it can.
  explicit Deadline(int64_t nanoseconds = usual) : end_(std::chrono::steady_clock::now() + std::chrono::nanoseconds(nanoseconds)) {}
  static Deadline never() {
    Deadline deadline(0);
    deadline.end_ = std::chrono::steady_clock::time_point::max();
    return deadline;
  }
  bool passed() const {
    return end_ != std::chrono::steady_clock::time_point::max() && std::chrono::steady_clock::now() >= end_;
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

}  // namespace tableflow
