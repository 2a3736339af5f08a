// Comparison of single rows by their key columns, wherever they are stored; for boundaries and thresholds.
#pragma once

#include "sort.h"

namespace tableflow::sorting {

// Key columns of some rows.
using Keys = std::span<const VectorPtr>;

// Negative, zero or positive as row a of one set of keys comes before, with or after row b of another.
int compare_rows(Keys a, int64_t row_a, Keys b, int64_t row_b, std::span<const Direction> directions);

// How many of the n rows, which are sorted, come strictly before the given one.
int64_t lower_bound(Keys sorted, int64_t n, Keys keys, int64_t row, std::span<const Direction> directions);

// Writes the rows among `selection` (or the first n) that come strictly before the given one, in their order; returns their number.
int64_t rows_before(Keys columns, const uint32_t* selection, int64_t n, Keys keys, int64_t row,
                    std::span<const Direction> directions, uint32_t* out);

}  // namespace tableflow::sorting
