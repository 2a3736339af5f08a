// Sorting rows by several columns: normalised keys, radix passes over their words, comparison only where many bits tie.
#pragma once

#include "sort_key.h"
#include "work.h"

namespace tableflow::sorting {

// The row numbers of all rows in order, in `order`; rows with equal keys keep theirs.  All columns have `n` rows.
Work sort_rows(std::vector<VectorPtr> columns, std::vector<Direction> directions, int64_t n, std::vector<uint32_t>& order);

// Three-way comparison of two strings by bytes.
inline int compare_text(std::string_view a, std::string_view b) { return a.compare(b); }

}  // namespace tableflow::sorting
