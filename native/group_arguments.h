// What Python hands to group tables, checked: nothing behind these may read beyond a vector.
#pragma once

#include <optional>
#include <stdexcept>
#include <vector>

#include "group_input.h"
#include "numpy_array.h"

namespace tableflow {

using Selection = std::optional<ArrayIn<uint32_t>>;
using Weights = std::optional<ArrayIn<int64_t>>;
using Dense = std::optional<std::vector<bool>>;

// Vectors over `length` stored rows, or (dense) over the n rows that count.
inline std::vector<Input> inputs_of(const std::vector<VectorPtr>& vectors, int64_t length, int64_t n, const Dense& dense) {
  std::vector<Input> out;
  if (dense && dense->size() != vectors.size()) throw std::invalid_argument("every argument says whether it is dense");
  for (const auto& vector : vectors) {
    const bool by_lane = dense && (*dense)[out.size()];
    if (vector->length < (by_lane ? n : length)) throw std::out_of_range("a vector is shorter than its batch");
    if (vector->kind == Kind::Dict && vector->dictionary->kind != Kind::Str && vector->dictionary->kind != Kind::LargeStr)
      throw std::invalid_argument("only strings have dictionaries");
    out.push_back({vector.get(), by_lane, nullptr});
  }
  return out;
}

inline int64_t checked_rows(const Selection& selection, int64_t length) {
  if (!selection) return length;
  check_rows(selection->data(), int64_t(selection->size()), length);
  return int64_t(selection->size());
}

inline const int64_t* checked_weights(const Weights& weights, int64_t length) {
  if (!weights) return nullptr;
  if (int64_t(weights->size()) < length) throw std::out_of_range("there are fewer weights than rows");
  return weights->data();
}

}  // namespace tableflow
