// Merging sorted inputs block by block: sorted runs in memory, or sorted channels whose next block comes later.
//
// Each input has at most one block of rows at a time; only key columns are held.  A merge goes on until enough rows are merged or
// an input that may still give rows has none left.  Rows with equal keys come in the order of their inputs.
// Keys are encoded for a window of a block at a time, so memory and the time of a call do not grow with the blocks.
#pragma once

#include "sort.h"

namespace tableflow::sorting {

// taken[i] rows of input i, from where the last merge stopped; order[j] is the position of the j-th merged row among the taken rows
// of all inputs put one after the other.
struct Merged {
  std::vector<int64_t> taken;
  BufferPtr order;  // int64
  int64_t rows = 0;
};

class Merger {
 public:
  Merger(size_t inputs, std::vector<Direction> directions);

  // The next block of an input that has no rows left; an empty block changes nothing.
  void push(size_t input, std::vector<VectorPtr> keys, int64_t n);
  // The input gives no more blocks.
  void finish(size_t input);
  bool wants(size_t input) const { return !inputs_.at(input).finished && inputs_[input].left() == 0; }
  Merged merge(int64_t most);

 private:
  struct Input {
    std::vector<VectorPtr> keys;
    int64_t at = 0, end = 0;              // rows of the block
    std::vector<uint64_t> window;         // keys of rows [window_first, window_end)
    int64_t window_first = 0, window_end = 0;
    bool finished = false;
    int64_t left() const { return end - at; }
  };

  const uint64_t* head(const Input& input) const { return input.window.data() + (input.at - input.window_first) * layout_.words; }
  bool before(size_t a, size_t b) const { return first_words_[a] != first_words_[b] ? first_words_[a] < first_words_[b] : before_by_rest(a, b); }
  bool before_by_rest(size_t a, size_t b) const;
  void note_head(size_t input) { first_words_[input] = layout_.words ? *head(inputs_[input]) : 0; }
  int compare_texts(size_t column, const Input& a, const Input& b) const;
  void encode(Input& input);
  void sift(size_t hole);
  size_t fill_heap();

  std::vector<Direction> directions_;
  std::vector<KeyStatistics> statistics_;
  KeyLayout layout_;
  std::vector<Input> inputs_;
  std::vector<uint64_t> first_words_;  // of each input's head: decides most comparisons
  std::vector<size_t> heap_;
};

}  // namespace tableflow::sorting
