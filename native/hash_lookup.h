// Where hashes occur among sorted ones.
#pragma once

#include <cstdint>
#include <span>

namespace tableflow {

// first[i] is the number of hashes below probes[i], count[i] how many are equal to it.  Both inputs ascend; the search gallops
// from one probe to the next, so many probes cost a walk through the hashes and few a binary search each.
void equal_ranges(std::span<const uint64_t> hashes, std::span<const uint64_t> probes, int64_t* first, int64_t* count);

}  // namespace tableflow
