#include "distinct.h"

#include <algorithm>

#include "hash.h"

namespace tableflow {

namespace {

constexpr int64_t block = 2048;

}  // namespace

DistinctHashes::DistinctHashes(int64_t k) : k_(size_t(k)) {
  if (k < 1 || k > int64_t(1) << 26) throw std::invalid_argument("a sketch has between one and 2^26 hashes");
  size_t capacity = 8;
  while (capacity < 4 * k_) capacity *= 2;
  slots_.assign(capacity, 0);
  mask_ = capacity - 1;
}

void DistinctHashes::update(const Vector& vector) {
  uint64_t hashes[block];
  Vector part = vector;
  for (int64_t at = 0; at < vector.length; at += block) {
    part.offset = vector.offset + at;
    part.length = std::min(block, vector.length - at);
    hash_vector(part, nullptr, part.length, hashes, false);
    for (int64_t i = 0; i < part.length; ++i) {
      const uint64_t hash = hashes[i] >> 1;
      if (hash < theta_ && hash != 0 && hashes[i] != null_hash) insert(hash);
    }
  }
}

void DistinctHashes::insert(uint64_t hash) {
  for (uint64_t i = hash & mask_;; i = (i + 1) & mask_) {
    if (slots_[i] == hash) return;
    if (slots_[i]) continue;
    slots_[i] = hash;
    if (++used_ > 2 * k_) cut();
    return;
  }
}

void DistinctHashes::cut() {
  std::vector<uint64_t> kept;
  kept.reserve(used_);
  std::copy_if(slots_.begin(), slots_.end(), std::back_inserter(kept), [](uint64_t hash) { return hash != 0; });
  std::nth_element(kept.begin(), kept.begin() + int64_t(k_), kept.end());
  theta_ = kept[k_];
  std::fill(slots_.begin(), slots_.end(), 0);
  used_ = k_;
  for (size_t n = 0; n < k_; ++n) {
    uint64_t i = kept[n] & mask_;
    while (slots_[i]) i = (i + 1) & mask_;
    slots_[i] = kept[n];
  }
}

std::vector<uint64_t> DistinctHashes::hashes() {
  if (used_ > k_) cut();
  std::vector<uint64_t> kept;
  kept.reserve(used_);
  std::copy_if(slots_.begin(), slots_.end(), std::back_inserter(kept), [](uint64_t hash) { return hash != 0; });
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace tableflow
