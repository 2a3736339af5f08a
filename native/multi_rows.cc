// Rows of a MultiState looked at: chains, all of them, those below a bound, and the numbers that their owner gives them.
#include "multi_state.h"

namespace tableflow {

std::vector<uint32_t> MultiState::chains(const uint32_t* slots, int64_t n) {
  std::vector<uint32_t> heads;
  for (int64_t i = 0; i < n; ++i) {
    if (!live(slots[i])) throw std::out_of_range("a row is looked up that is not there");
    uint32_t slot = slots[i];
    while (!touched_[slot] && links_[slot].previous) {  // every row is passed once
      touched_[slot] = 1;
      slot = links_[slot].previous - 1;
    }
    if (touched_[slot]) continue;
    touched_[slot] = 1;
    heads.push_back(slot);
  }
  for (int64_t i = 0; i < n; ++i)
    for (uint32_t slot = slots[i]; touched_[slot];) {
      touched_[slot] = 0;
      if (!links_[slot].previous) break;
      slot = links_[slot].previous - 1;
    }
  return heads;
}

std::vector<uint32_t> MultiState::live_from(int64_t start, int64_t limit) const {
  std::vector<uint32_t> out;
  for (int64_t slot = std::max<int64_t>(0, start); slot < slots() && int64_t(out.size()) < limit; ++slot)
    if (links_[size_t(slot)].previous != freed) out.push_back(uint32_t(slot));
  return out;
}

std::vector<uint32_t> MultiState::below(int column, int64_t bound) const {
  if (column < 0 || column >= store_.columns() || store_.type(column).key_class != KeyClass::Integer)
    throw std::invalid_argument("a bound belongs to a column of integers");
  std::vector<uint32_t> out;
  for (int64_t slot = 0; slot < slots(); ++slot)
    if (links_[size_t(slot)].previous != freed && !store_.is_null(column, uint32_t(slot)) && store_.integer(column, uint32_t(slot)) < bound)
      out.push_back(uint32_t(slot));
  return out;
}

void MultiState::add_marks(const uint32_t* slots, const int64_t* by, int64_t n) {
  if (marks_.size() < touched_.size()) {
    marks_.resize_zero(touched_.size());
    marked_.resize_zero(touched_.size());
  }
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t slot = slots[i];
    if (!live(slot)) throw std::out_of_range("a row is marked that is not there");
    if (!marked_[slot]) {
      marked_[slot] = 1;
      changed_marks_.emplace_back(slot, marks_[slot]);
    }
    marks_[slot] += by[i];
  }
}

void MultiState::take_marked(std::vector<uint32_t>& slots, std::vector<int64_t>& before) {
  for (const auto& [slot, old] : changed_marks_) {
    marked_[slot] = 0;
    if (marks_[slot] == old) continue;
    slots.push_back(slot);
    before.push_back(old);
  }
  changed_marks_.clear();
}

}  // namespace tableflow
