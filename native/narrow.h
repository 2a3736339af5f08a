// Integers of several pieces put together in the least width that holds them, with their bounds; and the bounds of other columns.
#pragma once

#include <span>
#include <string>

#include "vector.h"

namespace tableflow {

struct Narrowed {
  VectorPtr values;
  bool any = false;  // whether there is a value that is not NULL, and so bounds
  int128 low = 0, high = 0;
};

// Pieces are integers, decimals, dates, times or NULL.  With `keep` the widest width of a piece stays, and its format.
Narrowed narrow(std::span<const VectorPtr> pieces, bool keep);

struct RealBounds {
  bool any = false, nan = false;  // bounds are those of the numbers among the values
  double low = 0, high = 0;
};
RealBounds real_bounds(const Vector& reals);

struct TextBounds {
  bool any = false;
  std::string_view low, high;  // by bytes; they live as long as the vector
};
TextBounds text_bounds(const Vector& strings);

}  // namespace tableflow
