// Rows by the entry of a dictionary that their code stands for: of codes those that are accepted.
#pragma once

#include <cstdint>
#include <vector>

namespace tableflow::parquet {

// Which entries of a dictionary are accepted; made once for the codes of a reading.
class AcceptedEntries {
 public:
  // `accepted` has a byte for each entry, not 0 for those that are in.
  AcceptedEntries(const uint8_t* accepted, uint32_t entries);

  // Of `n` codes the accepted ones, in order, and the place of each, the first code being at `place`.  Both outputs have room for n and
  // one more; `kept` may be where the codes are.  Returns how many; throws Corrupt if a code is that of no entry.
  int64_t filter(const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places, uint32_t* kept) const;
  bool accepts(uint32_t code) const;  // the same for one code

  // Compiled for any processor, and for those with AVX2.
  using Kernel = int64_t (*)(const AcceptedEntries& of, const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places, uint32_t* kept);
  static int64_t filter_any(const AcceptedEntries& of, const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places, uint32_t* kept);
  static int64_t filter_avx2(const AcceptedEntries& of, const uint32_t* codes, int64_t n, uint32_t place, uint32_t* places, uint32_t* kept);

 private:
  uint32_t entries_;
  std::vector<uint8_t> bytes_;  // 0 or 1 of each entry, and room behind: four are loaded at once
  uint32_t bits_[8] = {};       // the same of up to 256 entries, a bit each
};

}  // namespace tableflow::parquet
