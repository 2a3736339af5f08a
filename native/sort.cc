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
constexpr size_t stretch = 4096;  // rows that are sorted in one go
constexpr size_t block = 1 << 16;  // rows that are counted, moved or encoded in one go

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

void count_bytes(const Entry* entries, size_t n, int shift, std::array<uint32_t, 256>& counts) {
  for (size_t i = 0; i < n; ++i) ++counts[entries[i].word >> shift & 255];
}

void scatter(const Entry* entries, size_t n, int shift, std::array<uint32_t, 256>& places, Entry* out) {
  for (size_t i = 0; i < n; ++i) out[places[entries[i].word >> shift & 255]++] = entries[i];
}

void scatter_packed(const uint64_t* packed, size_t n, int shift, std::array<uint32_t, 256>& places, uint64_t* out) {
  for (size_t i = 0; i < n; ++i) out[places[packed[i] >> shift & 255]++] = packed[i];
}

// The same for many entries: gives way between passes and buckets.
Work sort_many(Entry* entries, Entry* spare, size_t n, int bytes) {
  if (n <= stretch || bytes == 0) {
    sort_entries(entries, spare, n, bytes);
    co_await give_way;
    co_return;
  }
  const int shift = 8 * (bytes - 1);
  std::array<uint32_t, 256> begins{};
  for (size_t i = 0; i < n; i += block) {
    count_bytes(entries + i, std::min(block, n - i), shift, begins);
    co_await give_way;
  }
  if (begins[entries[0].word >> shift & 255] == n) {
    co_await sort_many(entries, spare, n, bytes - 1);
    co_return;
  }
  accumulate(begins);
  for (size_t i = 0; i < n; i += block) {
    scatter(entries + i, std::min(block, n - i), shift, begins, spare);
    co_await give_way;
  }
  for (size_t i = 0; i < n; i += block) {
    std::copy_n(spare + i, std::min(block, n - i), entries + i);
    co_await give_way;
  }
  for (size_t b = 0, begin = 0; b < 256; begin = begins[b++])
    if (begins[b] > begin) co_await sort_many(entries + begin, spare + begin, begins[b] - begin, bytes - 1);
}

// Keys and rows in one number: for keys so short that both fit.
Work sort_packed(const std::vector<uint64_t>& keys, int64_t bits, std::vector<uint32_t>& order) {
  const size_t n = keys.size();
  std::vector<uint64_t> packed(n);
  const int shift = int(64 - bits);
  for (size_t i = 0; i < n; ++i) packed[i] = (keys[i] >> shift) << 32 | i;
  co_await give_way;
  if (n <= few) {
    std::sort(packed.begin(), packed.end());
  } else {
    std::vector<uint64_t> spare(n);
    for (int b = 32; b < 32 + int(bits + 7) / 8 * 8; b += 8) {
      std::array<uint32_t, 256> begins{};
      for (size_t i = 0; i < n; ++i) ++begins[packed[i] >> b & 255];
      if (begins[packed[0] >> b & 255] == n) continue;
      accumulate(begins);
      for (size_t i = 0; i < n; i += block) {
        scatter_packed(packed.data() + i, std::min(block, n - i), b, begins, spare.data());
        co_await give_way;
      }
      packed.swap(spare);
    }
  }
  order.resize(n);
  for (size_t i = 0; i < n; ++i) order[i] = uint32_t(packed[i]);
}

Work encode(const KeyLayout& layout, std::span<const VectorPtr> columns, size_t n, std::vector<uint64_t>& keys) {
  for (size_t i = 0; i < n; i += block) {
    encode_keys(layout, columns, int64_t(i), int64_t(std::min(block, n - i)), keys.data() + i * size_t(layout.words));
    co_await give_way;
  }
}

class Sorter {
 public:
  Sorter(const KeyLayout& layout, std::span<const VectorPtr> columns, size_t n)
      : layout_(layout), columns_(columns), keys_(n * size_t(layout.words)), order_(n), entries_(n), spare_(n) {
    std::iota(order_.begin(), order_.end(), 0u);
  }
  Work run(std::vector<uint32_t>& order) {
    co_await encode(layout_, columns_, order_.size(), keys_);
    co_await many_by_words(0, 0, 0, order_.size());
    order = std::move(order_);
  }

 private:
  uint64_t word(uint32_t row, int w) const { return keys_[row * size_t(layout_.words) + size_t(w)]; }

  // As by_words, for many rows.
  Work many_by_words(size_t level, int offset, size_t low, size_t high) {
    if (high - low <= stretch) {
      by_words(level, offset, low, high);
      co_await give_way;
      co_return;
    }
    if (level == layout_.levels.size()) co_return;
    const KeyLevel& at = layout_.levels[level];
    const int w = at.first + offset;
    if (w >= at.last) {
      co_await many_by_text(level, low, high);
      co_return;
    }
    const size_t n = high - low;
    for (size_t i = 0; i < n; i += block) {
      for (size_t k = i; k < std::min(n, i + block); ++k) entries_[k] = {word(order_[low + k], w), order_[low + k]};
      co_await give_way;
    }
    co_await sort_many(entries_.data(), spare_.data(), n, 8);
    for (size_t i = 0; i < n; ++i) order_[low + i] = entries_[i].row;
    for (size_t from = low; from < high;) {
      const size_t to = tie_end(from, high, [&](uint32_t a, uint32_t b) { return word(a, w) == word(b, w); });
      if (to - from > stretch) {
        co_await many_by_words(level, offset + 1, from, to);
      } else if (to - from > 1) {
        by_words(level, offset + 1, from, to);
        co_await give_way;
      }
      from = to;
    }
  }

  // Short stretches are sorted by themselves, then neighbours are merged until there is one.
  Work many_by_text(size_t level, size_t low, size_t high) {
    const int column = layout_.levels[level].column;
    if (column < 0) {
      co_await many_by_words(level + 1, 0, low, high);
      co_return;
    }
    const auto less = [this, column](uint32_t a, uint32_t b) { return texts(column, a, b) < 0; };
    for (size_t from = low; from < high; from += stretch) {
      std::stable_sort(order_.begin() + int64_t(from), order_.begin() + int64_t(std::min(high, from + stretch)), less);
      co_await give_way;
    }
    merged_.resize(order_.size());
    for (size_t width = stretch; width < high - low; width *= 2) {
      for (size_t from = low; from < high; from += 2 * width) {
        Merge merge{from, std::min(high, from + width), std::min(high, from + width), std::min(high, from + 2 * width), from};
        while (!merge_some(merge, less)) co_await give_way;
      }
      std::copy(merged_.begin() + int64_t(low), merged_.begin() + int64_t(high), order_.begin() + int64_t(low));
    }
    for (size_t from = low; from < high;) {
      const size_t to = tie_end(from, high, [this, column](uint32_t a, uint32_t b) { return texts(column, a, b) == 0; });
      if (to - from > 1) co_await many_by_words(level + 1, 0, from, to);
      from = to;
      co_await give_way;
    }
  }

  // Two sorted stretches of the order, [left, middle) and [right, end), that become one from `out` on.
  struct Merge {
    size_t left, middle, right, end, out;
  };

  // Goes on with a merge; whether it is done.  Of equal rows the left ones come first.
  template <class Less> bool merge_some(Merge& merge, Less less) {
    for (size_t left = stretch / 4; merge.left < merge.middle && merge.right < merge.end; --left) {
      if (left == 0) return false;
      const bool right = less(order_[merge.right], order_[merge.left]);
      merged_[merge.out++] = order_[right ? merge.right++ : merge.left++];
    }
    const auto at = [this](size_t i) { return order_.begin() + int64_t(i); };
    std::copy(at(merge.left), at(merge.middle), merged_.begin() + int64_t(merge.out));
    std::copy(at(merge.right), at(merge.end), merged_.begin() + int64_t(merge.out + merge.middle - merge.left));
    return true;
  }

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
      const size_t to = tie_end(from, high, equal);
      if (to - from > 1) done(from, to);
      from = to;
    }
  }
  template <class Equal> size_t tie_end(size_t from, size_t high, Equal equal) const {
    size_t to = from + 1;
    while (to < high && equal(order_[from], order_[to])) ++to;
    return to;
  }

  const KeyLayout& layout_;
  std::span<const VectorPtr> columns_;
  std::vector<uint64_t> keys_;
  std::vector<uint32_t> order_, merged_;
  std::vector<Entry> entries_, spare_;
};

// The codes of a dictionary as ranks of their entries, which are given in order: so strings sort as small integers.
VectorPtr ranked(const Vector& v, const std::vector<uint32_t>& order) {
  const Vector& entries = *v.dictionary;
  std::vector<int32_t> rank(order.size());
  int32_t next = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const auto row = order[i];
    if (i && (is_null(entries, row) || text_of(entries, row) != text_of(entries, order[i - 1]))) ++next;
    rank[row] = next;
  }
  auto data = std::make_shared<Buffer>(size_t(v.length) * 4);
  auto valid = std::make_shared<Buffer>(size_t(v.length + 7) / 8);
  std::memset(valid->data(), 0, valid->size());
  for (int64_t i = 0; i < v.length; ++i) {
    const bool missing = is_null(v, i);
    data->as<int32_t>()[i] = missing ? 0 : rank[size_t(v.code(i))];
    if (!missing) set_bit(valid->data(), i);
  }
  return make_fixed(Kind::I32, std::string(1, 'i'), v.length, std::move(data), std::move(valid));
}

}  // namespace

Work sort_rows(std::vector<VectorPtr> columns, std::vector<Direction> directions, int64_t n, std::vector<uint32_t>& order) {
  std::vector<KeyStatistics> statistics;
  for (auto& column : columns) {
    if (column->kind == Kind::Dict && column->dictionary->length <= column->length) {
      std::vector<VectorPtr> entries(1, column->dictionary);
      std::vector<Direction> ascending(1);
      std::vector<uint32_t> of_entries;
      const int64_t length = column->dictionary->length;
      co_await sort_rows(std::move(entries), std::move(ascending), length, of_entries);
      column = ranked(*column, of_entries);
      co_await give_way;
    }
    statistics.push_back(key_statistics(*column));
    co_await give_way;
  }
  const KeyLayout layout = make_layout(statistics, directions);
  if (n > 0 && layout.levels.size() == 1 && layout.levels[0].column < 0 && layout.bits <= 32) {
    if (layout.words == 0) {
      order.resize(size_t(n));
      std::iota(order.begin(), order.end(), 0u);
      co_return;
    }
    std::vector<uint64_t> keys(size_t(n) * size_t(layout.words));
    co_await encode(layout, columns, size_t(n), keys);
    co_await sort_packed(keys, layout.bits, order);
    co_return;
  }
  Sorter sorter(layout, columns, size_t(n));
  co_await sorter.run(order);
}

}  // namespace tableflow::sorting
