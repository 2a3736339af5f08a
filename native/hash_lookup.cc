#include "hash_lookup.h"

#include <algorithm>

namespace tableflow {

void equal_ranges(std::span<const uint64_t> hashes, std::span<const uint64_t> probes, int64_t* first, int64_t* count) {
  const size_t n = hashes.size();
  size_t at = 0;  // no hash before it reaches the probe
  for (size_t i = 0; i < probes.size(); ++i) {
    const uint64_t probe = probes[i];
    if (i && probe == probes[i - 1]) {
      first[i] = first[i - 1];
      count[i] = count[i - 1];
      continue;
    }
    size_t step = 1, below = at;
    while (below + step <= n && hashes[below + step - 1] < probe) {
      below += step;
      step *= 2;
    }
    const size_t end = std::min(n, below + step);
    at = size_t(std::lower_bound(hashes.begin() + int64_t(below), hashes.begin() + int64_t(end), probe) - hashes.begin());
    size_t behind = at;
    while (behind < n && hashes[behind] == probe) ++behind;
    first[i] = int64_t(at);
    count[i] = int64_t(behind - at);
  }
}

}  // namespace tableflow
