#include "partition.h"

#include <vector>

namespace tableflow {

void partition_rows(const uint64_t* hashes, const uint32_t* selection, int64_t n, uint32_t parts, uint32_t* rows, int64_t* starts) {
  std::vector<int64_t> next(std::size_t(parts) + 1, 0);
  for (int64_t i = 0; i < n; ++i) ++next[part_of(hashes[i], parts) + 1];
  for (uint32_t p = 0; p < parts; ++p) next[p + 1] += next[p];
  for (uint32_t p = 0; p <= parts; ++p) starts[p] = next[p];
  for (int64_t i = 0; i < n; ++i) rows[next[part_of(hashes[i], parts)]++] = selection ? selection[i] : uint32_t(i);
}

}  // namespace tableflow
