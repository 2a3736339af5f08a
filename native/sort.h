// Sorting rows by several columns: normalised keys, radix passes over their words, comparison only where many bits tie.
#pragma once

#include "sort_key.h"

namespace tableflow::sorting {

// The row numbers of all rows in order; rows with equal keys keep theirs.  All columns have `n` rows.
std::vector<uint32_t> sort_rows(std::span<const VectorPtr> columns, std::span<const Direction> directions, int64_t n);

// Three-way comparison of two strings by bytes.
inline int compare_text(std::string_view a, std::string_view b) { return a.compare(b); }

}  // namespace tableflow::sorting
