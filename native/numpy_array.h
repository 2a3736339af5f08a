// NumPy arrays in and out of bindings: one-dimensional, contiguous, on the CPU.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "vector.h"

namespace tableflow {

namespace nb = nanobind;

template <class T> using ArrayIn = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T> using ArrayOut = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

// A numpy array over a buffer, which it keeps alive.
template <class T> ArrayOut<T> to_numpy(BufferPtr buffer, size_t n) {
  auto* kept = new BufferPtr(std::move(buffer));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<BufferPtr*>(p); });
  return ArrayOut<T>((*kept)->as<T>(), {n}, owner);
}

// Throws std::out_of_range unless all rows are below `length`.
inline void check_rows(const uint32_t* rows, int64_t n, int64_t length) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = rows[i] > largest ? rows[i] : largest;
  if (n && int64_t(largest) >= length) throw std::out_of_range("a row number lies behind the last row");
}

}  // namespace tableflow
