// Texts that rows of a state have in common with the batches they came in: instead of being copied they are pointed at, and the
// batch's memory is kept while any of them is wanted.
//
// That is cheap while most of that memory is wanted.  Rows die one by one, so what is kept is counted against what is wanted, and
// the texts of memory that few rows want are copied after all, which is the owner's work.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "vector.h"

namespace tableflow {

class PinnedTexts {
 public:
  // What comes, maybe in pieces, is of a batch of which `rows` rows are for this state, and the others for the other ones of so many
  // `states` among which it was dealt out.  No rows: nothing is pinned.  Memory of the batch before that nothing points to is given up.
  void share(int64_t rows, int states) {
    for (const uint32_t pin : open_) {
      pins_[pin - 1].open = false;
      vain_ = std::clamp(vain_ + (sparse(pin) ? 1 : -1), 0, most_vain);
      if (pins_[pin - 1].wanted == 0) give(pin);
    }
    // Where most rows go again at once, to copy those that stay is cheaper; now and then it is tried again.
    if (rows && vain_ == most_vain && ++passed_ % 32) rows = 0;
    if (!open_.empty()) recent_.swap(open_);
    open_.clear();
    rows_ = rows;
    states_ = states;
  }

  // The number of the memory that a vector's texts lie in; 0: they are to be copied, because too many others would be kept alive, or
  // too little would be gained.
  uint32_t begin(const Vector& vector) {
    if (rows_ == 0 || vector.kind == Kind::Null) return 0;
    const bool coded = vector.kind == Kind::Dict;
    const Vector& texts = coded ? *vector.dictionary : vector;
    if ((texts.kind != Kind::Str && texts.kind != Kind::LargeStr) || !texts.keepable) return 0;
    if (texts.length == 0 || rows_ * states_ * 4 < texts.length * 3) return 0;
    const std::string_view first = texts.str(0), last = texts.str(texts.length - 1);
    const int64_t size = (last.data() + last.size() - first.data()) / states_;
    if (size < least) return 0;
    // Batches in a row may have one dictionary, and columns of a batch one memory.
    for (const auto* known : {&open_, &recent_})
      for (const uint32_t pin : *known) {
        Pin& same = pins_[pin - 1];
        if (same.at != first.data() || same.size != size) continue;
        if (!same.open) open_.push_back(pin);
        same.open = true;
        return pin;
      }
    uint32_t pin = free_;
    if (pin) {
      free_ = pins_[pin - 1].next;
    } else {
      pins_.emplace_back();
      pin = uint32_t(pins_.size());
    }
    Pin& made = pins_[pin - 1];
    made = {coded ? std::vector<std::shared_ptr<void>>() : vector.owners, coded ? vector.dictionary : nullptr, first.data(), size, 0, true, 0};
    open_.push_back(pin);
    bytes_ += size;
    return pin;
  }

  void hold(uint32_t pin, size_t bytes) {
    change(pins_[pin - 1], int64_t(bytes));
  }
  void drop(uint32_t pin, size_t bytes) {
    Pin& from = pins_[pin - 1];
    change(from, -int64_t(bytes));
    if (from.wanted == 0 && !from.open) give(pin);
  }
  // Whether its texts are better copied; entries of a dictionary count as often as they are pointed at.
  bool sparse(uint32_t pin) const { return pins_[pin - 1].wanted * 3 < pins_[pin - 1].size * 2 && !pins_[pin - 1].open; }
  // Whether it is time to look for such.
  bool wasteful() const { return bytes_ * 2 > wanted_ * 3 + slack; }

  int64_t bytes() const { return bytes_ + int64_t(pins_.capacity() * sizeof(Pin)); }
  void clear() {
    pins_.clear();
    open_.clear();
    recent_.clear();
    free_ = 0;
    bytes_ = wanted_ = 0;
  }

 private:
  struct Pin {
    std::vector<std::shared_ptr<void>> owners;
    VectorPtr dictionary;
    const char* at = nullptr;
    int64_t size = 0;    // this state's part of it
    int64_t wanted = 0;  // bytes of the texts that are pointed at
    bool open = false;   // the batch at hand may still add some
    uint32_t next = 0;   // free one
  };
  static constexpr int64_t least = 1 << 14;  // what a pin itself takes must not matter
  static constexpr int most_vain = 4;
  static constexpr int64_t slack = 1 << 21;

  void change(Pin& pin, int64_t by) {
    wanted_ -= std::min(pin.wanted, pin.size);
    pin.wanted += by;
    wanted_ += std::min(pin.wanted, pin.size);
  }
  void give(uint32_t pin) {
    bytes_ -= pins_[pin - 1].size;
    pins_[pin - 1] = {};
    pins_[pin - 1].next = free_;
    free_ = pin;
  }

  int64_t rows_ = 0;
  int states_ = 1;
  int vain_ = 0;  // how many more of the latest pins were sparse when their batch had come than were not
  uint32_t passed_ = 0;
  std::vector<Pin> pins_;
  std::vector<uint32_t> open_, recent_;  // of the batch at hand, and of the one before
  uint32_t free_ = 0;
  int64_t bytes_ = 0, wanted_ = 0;  // of each pin no more than its size is wanted
};

}  // namespace tableflow
