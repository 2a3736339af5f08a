#include "sorted_slots.h"

#include <algorithm>

namespace tableflow {

SortedSlots::SortedSlots(std::shared_ptr<MultiState> state, std::vector<SlotOrder> order)
    : state_(std::move(state)), order_(std::move(order)) {
  for (const SlotOrder& key : order_)
    if (key.column < 0 || key.column >= state_->store().columns()) throw std::out_of_range("an order has a column that is not there");
}

int SortedSlots::compare(uint32_t a, uint32_t b) const {
  const RowStore& store = state_->store();
  for (const SlotOrder& key : order_) {
    const bool null = store.is_null(key.column, a), other = store.is_null(key.column, b);
    if (null || other) {
      if (null && other) continue;
      return null == key.nulls_first ? -1 : 1;
    }
    const int order = store.compare(key.column, a, b);
    if (order) return key.descending ? -order : order;
  }
  return 0;
}

void SortedSlots::insert(std::vector<uint32_t> fresh) {
  for (const uint32_t slot : fresh)
    if (!state_->live(slot)) throw std::out_of_range("a row is put in order that is not there");
  const auto less = [this](uint32_t a, uint32_t b) { return before(a, b); };
  std::sort(fresh.begin(), fresh.end(), less);
  size_t end = slots_.size(), to = end + fresh.size();
  slots_.resize(to);
  for (size_t left = fresh.size(); left > 0; --left) {  // from the back, so that every slot moves once
    const uint32_t slot = fresh[left - 1];
    const size_t at = size_t(std::upper_bound(slots_.begin(), slots_.begin() + int64_t(end), slot, less) - slots_.begin());
    std::move_backward(slots_.begin() + int64_t(at), slots_.begin() + int64_t(end), slots_.begin() + int64_t(to));
    to -= end - at;
    end = at;
    slots_[--to] = slot;
  }
}

void SortedSlots::erase(const uint32_t* slots, int64_t n) {
  const auto less = [this](uint32_t a, uint32_t b) { return before(a, b); };
  std::vector<size_t> gone;
  for (int64_t i = 0; i < n; ++i) {
    if (!state_->live(slots[i])) throw std::out_of_range("a row is taken out of order that is not there");
    const auto at = std::lower_bound(slots_.begin(), slots_.end(), slots[i], less);
    if (at == slots_.end() || *at != slots[i]) throw std::out_of_range("a row is taken out of an order that it is not in");
    gone.push_back(size_t(at - slots_.begin()));
  }
  std::sort(gone.begin(), gone.end());
  gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
  if (gone.empty()) return;
  size_t to = gone[0];
  for (size_t i = 0; i < gone.size(); ++i) {
    const size_t from = gone[i] + 1, end = i + 1 < gone.size() ? gone[i + 1] : slots_.size();
    std::move(slots_.begin() + int64_t(from), slots_.begin() + int64_t(end), slots_.begin() + int64_t(to));
    to += end - from;
  }
  slots_.resize(to);
}

std::vector<uint32_t> SortedSlots::first(int64_t copies) const {
  std::vector<uint32_t> out;
  for (const uint32_t slot : slots_) {
    if (copies <= 0) break;
    out.push_back(slot);
    copies -= std::max<int64_t>(0, state_->count(slot));
  }
  return out;
}

}  // namespace tableflow
