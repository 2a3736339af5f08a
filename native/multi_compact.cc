// Gives the memory of a MultiState back when most of its rows have gone.
//
// Live rows in high slots move into free ones below, so that the slots above can be cut off.  It costs as much as there are slots, and is
// done when at most a quarter of them has a row: so many rows have gone by then that it is a part of what removing them has cost.
#include "multi_state.h"

namespace tableflow {

namespace {

constexpr size_t small = 1024;

}  // namespace

bool MultiState::sparse() const { return links_.size() > small && size_t(rows_) <= links_.size() / 4 && changed_marks_.empty(); }

void MultiState::move(uint32_t from, uint32_t to) {
  const Links links = links_[from];
  if (links.next) links_[links.next - 1].previous = to + 1;
  if (links.previous) {
    links_[links.previous - 1].next = to + 1;
  } else {
    const uint64_t hash = hash_value(int64_t(stored_word(from)));
    key_cells_[key_cells_.find(hash, [&](const KeyCell& cell) { return cell.head == from + 1; })].head = to + 1;
  }
  if (counted_) {
    row_cells_[row_cells_.find(tags_[from], [&](const RowCell& cell) { return cell.slot == from + 1; })].slot = to + 1;
    counts_[to] = counts_[from];
    tags_[to] = tags_[from];
  }
  if (!marks_.empty()) marks_[to] = marks_[from];
  links_[to] = links;
  store_.move(from, to);
}

void MultiState::compact(std::vector<uint32_t>& from, std::vector<uint32_t>& to) {
  settle();
  if (!sparse()) return;
  if (rows_ == 0) return clear();
  key_cells_.reserve(0);
  if (counted_) row_cells_.reserve(0);
  const uint32_t rows = uint32_t(rows_);
  uint32_t hole = 0;
  for (uint32_t slot = rows; slot < links_.size(); ++slot) {
    if (!live(slot)) continue;
    while (live(hole)) ++hole;
    move(slot, hole);
    links_[slot].previous = freed;
    from.push_back(slot);
    to.push_back(hole);
  }
  const size_t room = std::max<size_t>(64, rows + rows / 2);
  links_.shrink(rows);
  free_ = 0;
  store_.shrink(rows, room);
  for (Array<uint32_t>* each : {&touched_, &tags_})
    if (!each->empty()) each->shrink(rows), each->resize_zero(room);
  for (Array<int64_t>* each : {&counts_, &marks_})
    if (!each->empty()) each->shrink(rows), each->resize_zero(room);
  if (!marked_.empty()) marked_.shrink(rows), marked_.resize_zero(room);
  key_cells_.shrink();
  if (counted_) row_cells_.shrink();
  for (std::vector<uint32_t>* each : {&dead_, &parted_}) each->shrink_to_fit();
  changed_marks_.shrink_to_fit();
}

}  // namespace tableflow
