// The next rows of several column chunks that lie side by side, in one call.
//
// Columns with a filter come first, and each leaves fewer rows for the next: what is left out is neither decoded nor copied.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "number_set.h"
#include "parquet_column.h"

namespace tableflow::parquet {

// Which values of a column are wanted: entries of its dictionary, or numbers.
struct ColumnFilter {
  size_t column;
  std::optional<std::span<const uint8_t>> accepted;  // of each entry of the dictionary
  NumberRange numbers{};                             // without these
};

struct GroupRows {
  std::vector<VectorPtr> columns;  // null where a reader was not asked any more
  std::vector<uint32_t> at;        // places of the rows that are left, unless these are all
  bool all = true;
  std::vector<int64_t> after;      // how many rows each filter that was applied left
  int64_t refused = -1;            // the column whose reader gave up; then those that are null have not moved on
};

// `last`: nothing is read of them afterwards, so that columns are left null, too, where filters leave no row.
GroupRows read_group(std::span<ColumnChunkReader* const> readers, int64_t rows, std::span<const ColumnFilter> filters,
                     bool last = false);

}  // namespace tableflow::parquet
