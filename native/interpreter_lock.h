// The interpreter's lock, given up for work that is worth it.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>

namespace tableflow {

// Where another thread waits for the lock, giving it up means to be put to sleep and woken when it is wanted back: tens of
// microseconds.  So it is kept for as few values as take less, and given up for more until the end of the scope.
class Released {
 public:
  explicit Released(int64_t values) {
    if (values > kFew) released_.emplace();
  }

 private:
  static constexpr int64_t kFew = 2048;
  std::optional<nanobind::gil_scoped_release> released_;
};

}  // namespace tableflow
