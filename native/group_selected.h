// Rows of a piece that some accumulators see.
#pragma once

#include "group_order.h"
#include "group_table.h"

namespace tableflow {

struct GroupTable::Selected {
  static constexpr int on_the_way = -2;  // as `distinct`: rows of no call, made on the way to some; not found among those of a piece

  int filter = -1, argument = -1, distinct = -1;
  int n = 0;
  bool has_rows = false;
  std::vector<uint32_t> lanes = std::vector<uint32_t>(piece_rows + order_slack);
  std::vector<uint32_t> groups = std::vector<uint32_t>(piece_rows);
  std::vector<uint32_t> rows = std::vector<uint32_t>(piece_rows);
  std::vector<int64_t> weights;  // empty: 1 each
  std::vector<Run> runs;
  bool clustered = false;

  void find_runs() {
    runs.clear();
    for (int i = 0; i < n;) {
      int end = i + 1;
      while (end < n && groups[size_t(end)] == groups[size_t(i)]) ++end;
      runs.push_back({groups[size_t(i)], i, end});
      i = end;
    }
  }
};

}  // namespace tableflow
