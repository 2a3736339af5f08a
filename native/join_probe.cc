#include "join_probe.h"

namespace tableflow {

JoinProbe::JoinProbe(std::shared_ptr<const JoinTable> table) : table_(std::move(table)), comparison_(table_->keys()) {}

void JoinProbe::start(std::vector<Input> keys, const uint32_t* rows, int64_t n) {
  keys_ = std::move(keys);
  if (keys_.size() != table_->keys().columns()) throw std::invalid_argument("a probe has as many keys as its table");
  rows_ = rows;
  n_ = n;
  heads_.resize_zero(size_t(n));
  std::vector<uint64_t> words(piece_rows);
  std::vector<uint8_t> matchable(piece_rows);
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    table_->keys().load(keys_, piece, words.data(), matchable.data());
    table_->find(piece.n, words.data(), matchable.data(), heads_.data() + first);
  }
  if (!table_->keys().exact()) verify_heads();
  lane_ = 0;
  begun_ = false;
  current_ = n ? heads_[0] : no_row;
}

// Equal hashes of different keys are as good as impossible, but not impossible: the head moves on to a row with the key.
void JoinProbe::verify_heads() {
  uint32_t lanes[piece_rows], candidates[piece_rows];
  uint8_t equal[piece_rows];
  for (int64_t at = 0; at < n_;) {
    int n = 0;
    for (; at < n_ && n < piece_rows; ++at)
      if (heads_[size_t(at)] != no_row) lanes[n++] = uint32_t(at);
    while (n) {
      for (int i = 0; i < n; ++i) candidates[i] = heads_[lanes[i]];
      compare(n, lanes, candidates, equal);
      int left = 0;
      for (int i = 0; i < n; ++i) {
        if (equal[i]) continue;
        heads_[lanes[i]] = table_->next(candidates[i]);
        if (heads_[lanes[i]] != no_row) lanes[left++] = lanes[i];
      }
      n = left;
    }
  }
}

void JoinProbe::compare(int n, const uint32_t* lanes, const uint32_t* build_rows, uint8_t* equal) {
  uint32_t rows[piece_rows];
  const uint32_t* by_row = lanes;
  bool mixed = false;
  for (const Input& key : keys_) mixed |= key.dense;
  if (rows_) {
    for (int i = 0; i < n; ++i) rows[i] = rows_[lanes[i]];
    by_row = rows;
  }
  if (mixed && rows_) throw std::invalid_argument("keys of a probe are given by row");
  comparison_.compare(keys_, by_row, table_->key_columns(), build_rows, n, equal);
}

// The first row of a chain from this one on that is not marked.  Paths are halved on the way (as Tarjan and van Leeuwen do for
// disjoint sets, JACM 1984), so that marked rows are hardly ever walked over twice.
uint32_t JoinProbe::unmarked(uint32_t row, const uint8_t* marked) {
  while (row != no_row && marked[row]) {
    const uint32_t behind = onward_[row];
    if (behind != no_row && marked[behind]) onward_[row] = onward_[behind];
    row = behind;
  }
  return row;
}

int64_t JoinProbe::fill(int64_t limit, bool outer, const uint8_t* done, const uint8_t* marked, uint32_t* lanes,
                        uint32_t* build_rows) {
  int64_t n = 0;
  if (!table_->has_chains() && !done && !marked) {
    for (; lane_ < n_ && n < limit; ++lane_) {
      const uint32_t row = heads_[size_t(lane_)];
      lanes[n] = uint32_t(lane_);
      build_rows[n] = row;
      n += outer || row != no_row;
    }
    return n;
  }
  while (lane_ < n_ && n < limit) {
    const bool skip = done && done[lane_];
    if (marked && !skip) current_ = unmarked(current_, marked);
    if (!skip && (current_ != no_row || (outer && !begun_))) {
      lanes[n] = uint32_t(lane_);
      build_rows[n++] = current_;
      begun_ = true;
      if (current_ != no_row) current_ = table_->next(current_);
      if (current_ != no_row) continue;
    }
    ++lane_;
    begun_ = false;
    current_ = lane_ < n_ ? heads_[size_t(lane_)] : no_row;
  }
  return n;
}

int64_t JoinProbe::next(int64_t limit, bool outer, const uint8_t* done, const uint8_t* marked, uint32_t* lanes,
                        uint32_t* build_rows) {
  if (marked && onward_.empty()) {
    onward_.resize(size_t(table_->rows()));
    for (size_t row = 0; row < onward_.size(); ++row) onward_[row] = table_->next(uint32_t(row));
  }
  if (table_->keys().exact() || !table_->has_chains()) return fill(limit, outer, done, marked, lanes, build_rows);
  int64_t kept = 0;
  uint8_t equal[piece_rows];
  while (kept < limit && !exhausted()) {
    const int n = int(fill(std::min<int64_t>(limit - kept, piece_rows), outer, done, marked, lanes + kept, build_rows + kept));
    // Heads are known to be equal; a lane without a match has no row to compare.
    uint32_t* from_lanes = lanes + kept;
    uint32_t* from_rows = build_rows + kept;
    uint32_t compared[piece_rows];
    for (int i = 0; i < n; ++i) compared[i] = from_rows[i] == no_row ? 0 : from_rows[i];
    compare(n, from_lanes, compared, equal);
    for (int i = 0; i < n; ++i) {
      lanes[kept] = from_lanes[i];
      build_rows[kept] = from_rows[i];
      kept += equal[i] || from_rows[i] == no_row;
    }
  }
  return kept;
}

}  // namespace tableflow
