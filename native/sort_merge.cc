#include "sort_merge.h"

#include <algorithm>

namespace tableflow::sorting {

namespace {

constexpr int64_t window_rows = 4096;

}  // namespace

Merger::Merger(size_t inputs, std::vector<Direction> directions)
    : directions_(std::move(directions)), statistics_(directions_.size()), inputs_(inputs), first_words_(inputs) {
  layout_ = make_layout(statistics_, directions_);
}

void Merger::push(size_t number, std::vector<VectorPtr> keys, int64_t n) {
  Input& input = inputs_.at(number);
  if (keys.size() != directions_.size()) throw std::invalid_argument("as many key columns as directions are expected");
  if (input.finished || input.left()) throw std::invalid_argument("a block is pushed to an input that wants none");
  for (const auto& key : keys)
    if (key->length != n) throw std::invalid_argument("key columns have different lengths");
  bool covered = true;
  for (size_t c = 0; c < keys.size(); ++c) {
    const KeyStatistics found = key_statistics(*keys[c]);
    if (statistics_[c].covers(found)) continue;
    statistics_[c].add(found);
    covered = false;
  }
  input.keys = std::move(keys);
  input.at = input.window_first = input.window_end = 0;
  input.end = n;
  if (covered) return;
  layout_ = make_layout(statistics_, directions_);
  for (Input& other : inputs_) other.window_end = other.window_first = other.at;
}

void Merger::finish(size_t number) { inputs_.at(number).finished = true; }

void Merger::encode(Input& input) {
  const int64_t n = std::min(window_rows, input.left());
  input.window.resize(size_t(n * layout_.words));
  encode_keys(layout_, input.keys, input.at, n, input.window.data());
  input.window_first = input.at;
  input.window_end = input.at + n;
}

int Merger::compare_texts(size_t column, const Input& a, const Input& b) const {
  const Vector &x = *a.keys[column], &y = *b.keys[column];
  if (is_null(x, a.at) || is_null(y, b.at)) return 0;
  const int c = compare_text(text_of(x, a.at), text_of(y, b.at));
  return directions_[column].descending ? -c : c;
}

bool Merger::before_by_rest(size_t a, size_t b) const {
  const Input &x = inputs_[a], &y = inputs_[b];
  const uint64_t *key_x = head(x), *key_y = head(y);
  for (const KeyLevel& level : layout_.levels) {
    for (int w = level.first; w < level.last; ++w)
      if (key_x[w] != key_y[w]) return key_x[w] < key_y[w];
    if (level.column < 0) continue;
    if (const int c = compare_texts(size_t(level.column), x, y)) return c < 0;
  }
  return a < b;
}

void Merger::sift(size_t hole) {
  const size_t moving = heap_[hole];
  for (size_t child; (child = 2 * hole + 1) < heap_.size(); hole = child) {
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], moving)) break;
    heap_[hole] = heap_[child];
  }
  heap_[hole] = moving;
}

// The inputs with rows, as a heap; returns how many unfinished ones have none.
size_t Merger::fill_heap() {
  heap_.clear();
  size_t missing = 0;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].left()) {
      heap_.push_back(i);
    } else if (!inputs_[i].finished) {
      ++missing;
    }
  }
  if (missing || heap_.size() < 2) return missing;
  for (const size_t i : heap_) {
    if (inputs_[i].at == inputs_[i].window_end) encode(inputs_[i]);
    note_head(i);
  }
  for (size_t i = heap_.size() / 2; i-- > 0;) sift(i);
  return missing;
}

Merged Merger::merge(int64_t most) {
  Merged merged;
  merged.taken.assign(inputs_.size(), 0);
  if (fill_heap() || heap_.empty() || most <= 0) {
    merged.order = std::make_shared<Buffer>(0);
    return merged;
  }
  if (heap_.size() == 1) {
    Input& only = inputs_[heap_[0]];
    merged.rows = merged.taken[heap_[0]] = std::min(most, only.left());
    only.at += merged.rows;
    only.window_first = only.window_end = only.at;
    merged.order = std::make_shared<Buffer>(size_t(merged.rows) * 8);
    for (int64_t j = 0; j < merged.rows; ++j) merged.order->as<int64_t>()[j] = j;
    return merged;
  }
  std::vector<uint32_t> from;
  from.reserve(size_t(most));
  while (int64_t(from.size()) < most) {
    const size_t first = heap_[0];
    Input& input = inputs_[first];
    from.push_back(uint32_t(first));
    ++merged.taken[first];
    if (++input.at == input.end) {
      if (!input.finished) break;
      heap_[0] = heap_.back();
      heap_.pop_back();
      if (heap_.empty()) break;
    } else {
      if (input.at == input.window_end) encode(input);
      note_head(first);
    }
    sift(0);
  }
  merged.rows = int64_t(from.size());
  merged.order = std::make_shared<Buffer>(from.size() * 8);
  std::vector<int64_t> next(inputs_.size(), 0);
  for (size_t i = 1; i < next.size(); ++i) next[i] = next[i - 1] + merged.taken[i - 1];
  for (size_t j = 0; j < from.size(); ++j) merged.order->as<int64_t>()[j] = next[from[j]]++;
  return merged;
}

}  // namespace tableflow::sorting
