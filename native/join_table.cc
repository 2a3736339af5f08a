#include "join_table.h"

#include <bit>

namespace tableflow {

namespace {

constexpr uint64_t direct_ratio = 8;  // cells per row that an array may have
constexpr int prefetch_distance = 16;
constexpr int64_t rows_per_part = 1 << 15;

}  // namespace

void JoinRows::append(std::span<const Input> keys, const uint32_t* rows, int64_t n, const uint8_t* only) {
  if (rows_ + n >= int64_t(no_row) - 1) throw std::length_error("too many rows on the build side of a join");
  std::vector<uint64_t> words(piece_rows);
  std::vector<uint8_t> matchable(piece_rows);
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    keys_.load(keys, piece, words.data(), matchable.data());
    for (int i = 0; i < piece.n; ++i) {
      if (!matchable[size_t(i)] || (only && !only[first + i])) continue;
      const uint64_t word = words[size_t(i)];
      Partition& partition = partitions_[partition_of(keys_.hash(word))];
      partition.words.push_back(word);
      partition.rows.push_back(uint32_t(rows_ + first + i));
      least_ = std::min(least_, int64_t(word));
      most_ = std::max(most_, int64_t(word));
      ++entries_;
    }
  }
  rows_ += n;
}

int64_t JoinRows::bytes() const {
  int64_t total = 0;
  for (const auto& partition : partitions_) total += int64_t(partition.words.capacity() * 8 + partition.rows.capacity() * 4);
  return total;
}

JoinTable::JoinTable(std::vector<std::shared_ptr<const JoinRows>> partials)
    : keys_(partials.at(0)->keys()), partials_(std::move(partials)) {
  int64_t least = INT64_MAX, most = INT64_MIN;
  int64_t counts[join_partitions] = {};
  for (const auto& partial : partials_) {
    first_rows_.push_back(uint32_t(rows_));
    rows_ += partial->rows_;
    entries_ += partial->entries_;
    least = std::min(least, partial->least_);
    most = std::max(most, partial->most_);
    for (int p = 0; p < join_partitions; ++p) counts[p] += int64_t(partial->partitions_[p].rows.size());
  }
  if (rows_ >= int64_t(no_row) - 1) throw std::length_error("too many rows on the build side of a join");
  while (parts_ < join_partitions && rows_ / parts_ > rows_per_part) parts_ *= 2;
  next_.resize_zero(size_t(rows_));
  if (keys_.exact() && entries_) {
    const uint64_t range = uint64_t(most) - uint64_t(least);
    direct_mode_ = range < std::max<uint64_t>(1024, direct_ratio * uint64_t(entries_));
    if (direct_mode_) {
      base_ = least;
      cells_ = range + 1;
      direct_.resize_zero(cells_);
      return;
    }
  }
  uint64_t base = 0;
  for (int p = 0; p < join_partitions; ++p) {
    const uint64_t capacity = std::bit_ceil(uint64_t(counts[p]) * 5 / 3 + 2);
    regions_[p] = {base, capacity - 1};
    base += capacity;
  }
  slots_.resize_zero(base);
}

// Every entry of a partition into the cell that `cell` finds for its word; a taken one is put at the head of the chain.
template <class Cell> bool JoinTable::insert_all(int partition, Cell cell) {
  bool chained = false;
  // Backwards, so that chains ascend.
  for (size_t t = partials_.size(); t-- > 0;) {
    const auto& entries = partials_[t]->partitions_[partition];
    for (size_t i = entries.rows.size(); i-- > 0;) {
      const uint32_t row = first_rows_[t] + entries.rows[i];
      uint32_t& head = cell(entries.words[i], i >= prefetch_distance ? &entries.words[i - prefetch_distance] : nullptr);
      if (head) {
        next_[row] = head;
        chained = true;
      }
      head = row + 1;
    }
  }
  return chained;
}

void JoinTable::seal(int part) {
  const int each = join_partitions / parts_;
  for (int p = part * each; p < (part + 1) * each; ++p) {
    if (direct_mode_) {
      chains_[p] = insert_all(p, [&](uint64_t word, const uint64_t* ahead) -> uint32_t& {
        if (ahead) __builtin_prefetch(&direct_[*ahead - uint64_t(base_)], 1);
        return direct_[word - uint64_t(base_)];
      });
      continue;
    }
    Slot* slots = slots_.data() + regions_[p].base;
    const uint64_t mask = regions_[p].mask;
    chains_[p] = insert_all(p, [&](uint64_t word, const uint64_t* ahead) -> uint32_t& {
      if (ahead) __builtin_prefetch(&slots[keys_.hash(*ahead) & mask], 1);
      uint64_t at = keys_.hash(word) & mask;
      while (slots[at].row && slots[at].word != word) at = (at + 1) & mask;
      slots[at].word = word;
      return slots[at].row;
    });
  }
}

void JoinTable::finish(std::vector<VectorPtr> keys) {
  if (!keys_.exact() && keys.size() != keys_.columns()) throw std::invalid_argument("the build side's keys are missing");
  for (const auto& key : keys)
    if (key->length < rows_) throw std::out_of_range("a key column of the build side is too short");
  key_columns_ = std::move(keys);
  for (const uint8_t chained : chains_) chained_ |= chained;
  if (!chained_) next_.release();
  partials_.clear();
}

void JoinTable::find(int n, const uint64_t* words, const uint8_t* matchable, uint32_t* rows) const {
  if (entries_ == 0) {
    std::fill_n(rows, n, no_row);
    return;
  }
  if (direct_mode_) {
    const uint32_t* direct = direct_.data();
    const uint64_t base = uint64_t(base_), cells = cells_;
    for (int i = 0; i < n; ++i) {
      const uint64_t at = words[i] - base;
      const bool inside = at < cells;  // no branch: whether a key is inside is hard to foresee
      const uint32_t row = direct[inside ? at : 0] - 1;
      rows[i] = inside && matchable[i] ? row : no_row;
    }
    return;
  }
  uint64_t hashes[piece_rows];
  for (int i = 0; i < n; ++i) hashes[i] = keys_.hash(words[i]);
  const auto home = [&](uint64_t hash) {
    const Region& region = regions_[partition_of(hash)];
    return region.base + (hash & region.mask);
  };
  for (int i = 0; i < n; ++i) {
    if (i + prefetch_distance < n) __builtin_prefetch(&slots_[home(hashes[i + prefetch_distance])]);
    rows[i] = no_row;
    if (!matchable[i]) continue;
    const Region region = regions_[partition_of(hashes[i])];
    for (uint64_t at = hashes[i] & region.mask;; at = (at + 1) & region.mask) {
      const Slot& slot = slots_[region.base + at];
      if (!slot.row) break;
      if (slot.word == words[i]) {
        rows[i] = slot.row - 1;
        break;
      }
    }
  }
}

int64_t JoinTable::bytes() const {
  return int64_t(direct_.capacity() * 4 + slots_.capacity() * sizeof(Slot) + next_.capacity() * 4);
}

}  // namespace tableflow
