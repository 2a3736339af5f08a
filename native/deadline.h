// How long one call of a kernel may go on when its work can be cut: the caller looks at cancellation between calls.
#pragma once

#include <chrono>
#include <cstdint>

namespace tableflow {

class Deadline {
 public:
  // Look at the clock only after so many random writes: each may fault in a page of two megabytes.
  static constexpr int64_t stride = 8;

  Deadline() : end_(std::chrono::steady_clock::now() + std::chrono::milliseconds(5)) {}
  bool passed() const { return std::chrono::steady_clock::now() >= end_; }

 private:
  std::chrono::steady_clock::time_point end_;
};

}  // namespace tableflow
