// The lanes of a piece, group after group: so each group's rows are summed in a register.
#pragma once

#include <span>

#include "aggregate_state.h"

namespace tableflow {

constexpr int64_t clustered_groups = 64;  // tables up to this size order each piece by group
constexpr int order_slack = 8;            // elements behind the lanes that may be written

// Lane i belongs to groups[i] < `count`, or to none when that is UINT32_MAX; count <= clustered_groups, n <= piece_rows.
// Fills `lanes`, which within a group ascend, and one run for each group that has any; returns how many lanes there are.
int order_lanes(const uint32_t* groups, int n, int64_t count, uint32_t* lanes, std::vector<Run>& runs);

}  // namespace tableflow
