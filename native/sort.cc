#include "sort.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace tableflow::sorting {

namespace {

struct Entry {
  uint64_t word;
  uint32_t row;
};

constexpr size_t few = 256;  // below, comparing beats counting

// Turns counts into the places where buckets begin.
void accumulate(std::array<uint32_t, 256>& counts) {
  uint32_t begin = 0;
  for (auto& c : counts) {
    const uint32_t size = c;
    c = begin;
    begin += size;
  }
}

// Stable radix sort by the low `bytes` bytes of word(entry), least significant first; bytes that all entries share cost nothing.
template <class T, class Word> void radix_sort(T* entries, T* spare, size_t n, int bytes, Word word) {
  std::array<std::array<uint32_t, 256>, 8> counts;
  for (int b = 0; b < bytes; ++b) counts[size_t(b)].fill(0);
  for (size_t i = 0; i < n; ++i) {
    const uint64_t w = word(entries[i]);
    for (int b = 0; b < bytes; ++b) ++counts[size_t(b)][w >> (8 * b) & 255];
  }
  T *from = entries, *to = spare;
  for (int b = 0; b < bytes; ++b) {
    auto& count = counts[size_t(b)];
    if (count[word(from[0]) >> (8 * b) & 255] == n) continue;
    accumulate(count);
    for (size_t i = 0; i < n; ++i) to[count[word(from[i]) >> (8 * b) & 255]++] = from[i];
    std::swap(from, to);
  }
  if (from != entries) std::copy_n(from, n, entries);
}

// Stable sort by the low `bytes` bytes of the words (higher ones are equal): the most significant byte first until a bucket fits
// into the nearest cache, there the least significant first.  Rows ascend within equal words.
void sort_entries(Entry* entries, Entry* spare, size_t n, int bytes) {
  if (n < 2 || bytes == 0) return;
  if (n <= 64) {
    std::sort(entries, entries + n, [](const Entry& a, const Entry& b) { return a.word != b.word ? a.word < b.word : a.row < b.row; });
    return;
  }
  if (n <= 1024) return radix_sort(entries, spare, n, bytes, [](const Entry& e) { return e.word; });
  const int shift = 8 * (bytes - 1);
  std::array<uint32_t, 256> begins{};
  for (size_t i = 0; i < n; ++i) ++begins[entries[i].word >> shift & 255];
  if (begins[entries[0].word >> shift & 255] == n) return sort_entries(entries, spare, n, bytes - 1);
  accumulate(begins);
  for (size_t i = 0; i < n; ++i) spare[begins[entries[i].word >> shift & 255]++] = entries[i];
  std::copy_n(spare, n, entries);
  for (size_t b = 0, begin = 0; b < 256; begin = begins[b++]) sort_entries(entries + begin, spare + begin, begins[b] - begin, bytes - 1);
}

// Keys and rows in one number: for keys so short that both fit.
std::vector<uint32_t> sort_packed(const std::vector<uint64_t>& keys, int64_t bits, size_t n) {
  std::vector<uint64_t> packed(n), spare(n);
  const int shift = int(64 - bits);
  for (size_t i = 0; i < n; ++i) packed[i] = (keys[i] >> shift) << 32 | i;
  if (n <= few) {
    std::sort(packed.begin(), packed.end());
  } else {
    radix_sort(packed.data(), spare.data(), n, int(bits + 7) / 8, [](uint64_t p) { return p >> 32; });
  }
  std::vector<uint32_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = uint32_t(packed[i]);
  return order;
}

class Sorter {
 public:
  Sorter(const KeyLayout& layout, std::span<const VectorPtr> columns, size_t n)
      : layout_(layout), columns_(columns), keys_(n * size_t(layout.words)), order_(n), entries_(n), spare_(n) {
    encode_keys(layout, columns, 0, int64_t(n), keys_.data());
    std::iota(order_.begin(), order_.end(), 0u);
  }
  std::vector<uint32_t> run() {
    by_words(0, 0, 0, order_.size());
    return std::move(order_);
  }

 private:
  uint64_t word(uint32_t row, int w) const { return keys_[row * size_t(layout_.words) + size_t(w)]; }

  // Rows [low, high) of the order are equal in all levels before, and in this level's words before `offset`.
  void by_words(size_t level, int offset, size_t low, size_t high) {
    if (high - low < 2 || level == layout_.levels.size()) return;
    const KeyLevel& at = layout_.levels[level];
    const int w = at.first + offset;
    if (w >= at.last) return by_text(level, low, high);
    if (high - low <= few) return by_comparing(level, offset, low, high);
    const size_t n = high - low;
    for (size_t i = 0; i < n; ++i) entries_[i] = {word(order_[low + i], w), order_[low + i]};
    sort_entries(entries_.data(), spare_.data(), n, 8);
    for (size_t i = 0; i < n; ++i) order_[low + i] = entries_[i].row;
    each_tie(low, high, [&](uint32_t a, uint32_t b) { return word(a, w) == word(b, w); },
             [&](size_t from, size_t to) { by_words(level, offset + 1, from, to); });
  }

  void by_text(size_t level, size_t low, size_t high) {
    const int column = layout_.levels[level].column;
    if (column < 0) return by_words(level + 1, 0, low, high);
    std::stable_sort(order_.begin() + int64_t(low), order_.begin() + int64_t(high),
                     [&](uint32_t a, uint32_t b) { return texts(column, a, b) < 0; });
    each_tie(low, high, [&](uint32_t a, uint32_t b) { return texts(column, a, b) == 0; },
             [&](size_t from, size_t to) { by_words(level + 1, 0, from, to); });
  }

  void by_comparing(size_t level, int offset, size_t low, size_t high) {
    std::stable_sort(order_.begin() + int64_t(low), order_.begin() + int64_t(high),
                     [&](uint32_t a, uint32_t b) { return less(level, offset, a, b); });
  }

  bool less(size_t level, int offset, uint32_t a, uint32_t b) const {
    for (; level < layout_.levels.size(); ++level, offset = 0) {
      const KeyLevel& at = layout_.levels[level];
      for (int w = at.first + offset; w < at.last; ++w)
        if (word(a, w) != word(b, w)) return word(a, w) < word(b, w);
      if (at.column < 0) continue;
      if (const int c = texts(at.column, a, b)) return c < 0;
    }
    return false;
  }

  int texts(int column, uint32_t a, uint32_t b) const {
    const Vector& v = *columns_[size_t(column)];
    if (is_null(v, a) || is_null(v, b)) return 0;  // both: the words before have told them from others
    const int c = compare_text(text_of(v, a), text_of(v, b));
    return layout_.fields[size_t(column)].direction.descending ? -c : c;
  }

  // Calls done(from, to) for every maximal stretch of two and more rows that are pairwise equal.
  template <class Equal, class Done> void each_tie(size_t low, size_t high, Equal equal, Done done) {
    for (size_t from = low; from < high;) {
      size_t to = from + 1;
      while (to < high && equal(order_[from], order_[to])) ++to;
      if (to - from > 1) done(from, to);
      from = to;
    }
  }

  const KeyLayout& layout_;
  std::span<const VectorPtr> columns_;
  std::vector<uint64_t> keys_;
  std::vector<uint32_t> order_;
  std::vector<Entry> entries_, spare_;
};

// A dictionary's codes as ranks of their entries, so that strings sort as small integers.
VectorPtr ranked(const VectorPtr& v) {
  if (v->kind != Kind::Dict || v->dictionary->length > v->length) return v;
  const VectorPtr entries = v->dictionary;
  const int64_t n = entries->length;
  const Direction ascending;
  const auto order = sort_rows({&entries, 1}, {&ascending, 1}, n);
  std::vector<int32_t> rank(static_cast<size_t>(n));
  int32_t next = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto row = order[size_t(i)];
    if (i && (is_null(*entries, row) || text_of(*entries, row) != text_of(*entries, order[size_t(i - 1)]))) ++next;
    rank[row] = next;
  }
  auto data = std::make_shared<Buffer>(size_t(v->length) * 4);
  auto valid = std::make_shared<Buffer>(size_t(v->length + 7) / 8);
  std::memset(valid->data(), 0, valid->size());
  for (int64_t i = 0; i < v->length; ++i) {
    const bool missing = is_null(*v, i);
    data->as<int32_t>()[i] = missing ? 0 : rank[size_t(v->code(i))];
    if (!missing) set_bit(valid->data(), i);
  }
  return make_fixed(Kind::I32, std::string(1, 'i'), v->length, std::move(data), std::move(valid));
}

}  // namespace

std::vector<uint32_t> sort_rows(std::span<const VectorPtr> given, std::span<const Direction> directions, int64_t n) {
  std::vector<VectorPtr> columns;
  std::vector<KeyStatistics> statistics;
  for (const auto& column : given) {
    columns.push_back(ranked(column));
    statistics.push_back(key_statistics(*columns.back()));
  }
  const KeyLayout layout = make_layout(statistics, directions);
  if (n > 0 && layout.levels.size() == 1 && layout.levels[0].column < 0 && layout.bits <= 32) {
    std::vector<uint64_t> keys(size_t(n) * size_t(layout.words));
    if (layout.words == 0) {
      std::vector<uint32_t> order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), 0u);
      return order;
    }
    encode_keys(layout, columns, 0, n, keys.data());
    return sort_packed(keys, layout.bits, size_t(n));
  }
  return Sorter(layout, columns, size_t(n)).run();
}

}  // namespace tableflow::sorting
