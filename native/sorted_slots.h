// The rows of a MultiState in an order, kept as rows come and go: an array of slots.
//
// A batch of k rows costs k searches and one move of the slots behind; what stands first is read without looking at the rest.
#pragma once

#include <memory>

#include "multi_state.h"

namespace tableflow {

class SortedSlots {
 public:
  // Rows that agree in all these columns come in any order.
  SortedSlots(std::shared_ptr<MultiState> state, std::vector<SlotOrder> order);
  // Rows that are not here yet; they are in the state.
  void insert(std::vector<uint32_t> slots);
  // Rows that are here; they are still in the state.
  void erase(const uint32_t* slots, int64_t n);
  // The first rows whose counts above zero come to at least `copies`, those between them included.
  std::vector<uint32_t> first(int64_t copies) const;
  const MultiState& state() const { return *state_; }
  int64_t size() const { return int64_t(slots_.size()); }
  int64_t bytes() const { return int64_t(slots_.capacity() * 4); }

 private:
  int compare(uint32_t a, uint32_t b) const;
  bool before(uint32_t a, uint32_t b) const {
    const int order = compare(a, b);
    return order ? order < 0 : a < b;
  }
  std::shared_ptr<MultiState> state_;
  std::vector<SlotOrder> order_;
  std::vector<uint32_t> slots_;
};

}  // namespace tableflow
