// Dealing rows out to parts by the high half of their hash.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tableflow {

// The part of a row: its high 32 hash bits, scaled to [0, parts).
inline uint32_t part_of(uint64_t hash, uint32_t parts) { return uint32_t(((hash >> 32) * parts) >> 32); }

// A stable counting sort of n rows by part.  rows[starts[p] .. starts[p + 1]) are part p's: selection[i] (or i) for the i-th hash.
// `starts` has parts + 1 entries.
void partition_rows(const uint64_t* hashes, const uint32_t* selection, int64_t n, uint32_t parts, uint32_t* rows, int64_t* starts);

}  // namespace tableflow
