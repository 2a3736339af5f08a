#include "multi_state.h"

namespace tableflow {

namespace {

constexpr int prefetch_distance = 12;
constexpr size_t tidied_at_once = 1 << 16;

}  // namespace

MultiState::MultiState(const std::vector<std::string>& formats, std::vector<int> keys, std::vector<uint8_t> null_safe, bool counted)
    : store_(formats), keys_(std::move(keys)), null_safe_(std::move(null_safe)), counted_(counted) {
  if (keys_.size() != null_safe_.size()) throw std::invalid_argument("every key says whether it is null-safe");
  for (const int key : keys_)
    if (key < 0 || key >= store_.columns()) throw std::out_of_range("a key is a column of the rows");
  exact_ = keys_.size() == 1 && store_.type(keys_[0]).key_class == KeyClass::Integer && !null_safe_[0];
  loaded_.resize(formats.size());
  loaded_keys_.resize(keys_.size());
  words_.resize(piece_rows);
  hashes_.resize(piece_rows);
  matchable_.resize(piece_rows);
}

// Words of the keys, and which rows have one; `by_key`: only key columns are loaded, in their order.
void MultiState::load_keys(const std::vector<LoadedColumn>& loaded, bool by_key, int n) {
  std::fill_n(matchable_.data(), n, uint8_t(1));
  if (keys_.empty()) std::fill_n(words_.data(), n, uint64_t(0));
  for (size_t k = 0; k < keys_.size(); ++k) {
    const int c = keys_[k];
    const LoadedColumn& column = loaded[by_key ? k : size_t(c)];
    if (column.any_null && !null_safe_[k])
      for (int i = 0; i < n; ++i) matchable_[size_t(i)] &= uint8_t(!column.nulls[size_t(i)]);
    if (exact_) {
      for (int i = 0; i < n; ++i) words_[size_t(i)] = uint64_t(column.values[size_t(i)]);
    } else {
      for (int i = 0; i < n; ++i) {
        const uint64_t hash = store_.hash(c, column, i);
        words_[size_t(i)] = k ? hash_combine(words_[size_t(i)], hash) : hash;
      }
    }
  }
}

uint64_t MultiState::key_cell(const std::vector<LoadedColumn>& loaded, bool by_key, int i) const {
  const uint64_t word = words_[size_t(i)];
  return key_cells_.find(hash_value(int64_t(word)), [&](const KeyCell& cell) {
    if (cell.word != word) return false;
    if (exact_) return true;
    for (size_t k = 0; k < keys_.size(); ++k)
      if (!store_.same(keys_[k], loaded[by_key ? k : size_t(keys_[k])], i, cell.head - 1)) return false;
    return true;
  });
}

uint64_t MultiState::stored_word(uint32_t slot) const {
  if (exact_) return uint64_t(store_.integer(keys_[0], slot));
  uint64_t word = 0;
  for (size_t k = 0; k < keys_.size(); ++k) {
    const uint64_t hash = store_.hash_stored(keys_[k], slot);
    word = k ? hash_combine(word, hash) : hash;
  }
  return word;
}

uint32_t MultiState::take_slot() {
  if (free_) {
    const uint32_t slot = free_ - 1;
    free_ = links_[slot].next;
    return slot;
  }
  if (links_.size() >= size_t(no_slot) - 2) throw std::length_error("too many rows in a state");
  const uint32_t slot = uint32_t(links_.size());
  links_.push_back({});
  if (links_.size() > touched_.size()) {
    const size_t room = std::max<size_t>(64, touched_.size() + touched_.size() / 2);
    store_.resize(room);
    touched_.resize_zero(room);
    if (counted_) {
      counts_.resize_zero(room);
      tags_.resize_zero(room);
    }
    if (!marks_.empty()) {
      marks_.resize_zero(room);
      marked_.resize_zero(room);
    }
  }
  return slot;
}

// Row i of the piece, in a slot of its own.
uint32_t MultiState::store(int i) {
  const uint32_t slot = take_slot();
  for (int c = 0; c < store_.columns(); ++c) store_.put(c, loaded_[size_t(c)], i, slot);
  if (!marks_.empty()) marks_[slot] = 0;
  links_[slot] = {};
  ++rows_;
  return slot;
}

// The same, first in the chain of its key.
uint32_t MultiState::insert(int i) {
  const uint32_t slot = store(i);
  Links& links = links_[slot];
  const uint64_t at = key_cell(loaded_, false, i);
  KeyCell& cell = key_cells_[at];
  if (cell.used()) {
    links.next = cell.head;
    links_[cell.head - 1].previous = slot + 1;
    cell.head = slot + 1;
  } else {
    key_cells_.put(at, {words_[size_t(i)], slot + 1, 0});
  }
  return slot;
}

RowChanges MultiState::apply(std::span<const Input> inputs, const uint32_t* rows, int64_t n, const int64_t* weights, bool settles) {
  if (weights && !counted_) throw std::invalid_argument("a state of new rows has no use for weights");
  if (int(inputs.size()) != store_.columns()) throw std::invalid_argument("a row has as many columns as its state");
  if (settles) settle();
  store_.begin(inputs);
  RowChanges out;
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    for (int c = 0; c < store_.columns(); ++c) store_.load(c, inputs[size_t(c)], piece, loaded_[size_t(c)]);
    load_keys(loaded_, false, piece.n);
    key_cells_.reserve(piece.n);
    if (counted_) {
      row_cells_.reserve(piece.n);
      for (int c = 0; c < store_.columns(); ++c)
        for (int i = 0; i < piece.n; ++i) {
          const uint64_t hash = store_.hash(c, loaded_[size_t(c)], i);
          hashes_[size_t(i)] = c ? hash_combine(hashes_[size_t(i)], hash) : hash;
        }
      if (store_.columns() == 0) std::fill_n(hashes_.data(), piece.n, uint64_t(0));
    }
    for (int i = 0; i < piece.n; ++i) {
      if (i + prefetch_distance < piece.n) {
        key_cells_.prefetch(hash_value(int64_t(words_[size_t(i + prefetch_distance)])));
        if (counted_) row_cells_.prefetch(uint32_t(hashes_[size_t(i + prefetch_distance)]));
      }
      const uint32_t row = rows ? piece.rows[i] : uint32_t(first + i);
      if (!matchable_[size_t(i)]) {
        out.unmatchable.push_back(row);
        continue;
      }
      if (!counted_) {
        out.slots.push_back(insert(i));
        out.rows.push_back(row);
        continue;
      }
      const int64_t weight = weights ? weights[row] : 1;
      if (weight == 0) continue;
      const uint32_t tag = uint32_t(hashes_[size_t(i)]);
      const uint64_t at = row_cells_.find(tag, [&](const RowCell& cell) {
        if (cell.tag != tag) return false;
        for (int c = 0; c < store_.columns(); ++c)
          if (!store_.same(c, loaded_[size_t(c)], i, cell.slot - 1)) return false;
        return true;
      });
      uint32_t slot;
      if (row_cells_[at].used()) {
        slot = row_cells_[at].slot - 1;
      } else {
        slot = insert(i);
        counts_[slot] = 0;
        tags_[slot] = tag;
        row_cells_.put(at, {tag, slot + 1});
      }
      if (!touched_[slot]) {
        out.slots.push_back(slot);
        out.rows.push_back(row);
        out.before.push_back(counts_[slot]);
        touched_[slot] = 1;
      }
      counts_[slot] += weight;
    }
  }
  if (!counted_) return out;
  size_t kept = 0;
  for (size_t i = 0; i < out.slots.size(); ++i) {
    const uint32_t slot = out.slots[i];
    touched_[slot] = 0;
    if (counts_[slot] == 0) dead_.push_back(slot);
    if (counts_[slot] == out.before[i]) continue;
    out.slots[kept] = slot;
    out.rows[kept] = out.rows[i];
    out.before[kept++] = out.before[i];
    out.after.push_back(counts_[slot]);
  }
  out.slots.resize(kept);
  out.rows.resize(kept);
  out.before.resize(kept);
  return out;
}

void MultiState::settle() {
  // A row may have died, come back and died again.
  for (const uint32_t slot : dead_)
    if (live(slot) && counts_[slot] == 0) remove(slot);
  dead_.clear();
  for (const uint32_t slot : parted_) give_slot(slot);
  parted_.clear();
  store_.tidy(tidied_at_once);
}

void MultiState::give_slot(uint32_t slot) {
  store_.drop(slot);
  links_[slot] = {free_, freed};
  free_ = slot + 1;
  --rows_;
}

void MultiState::remove(uint32_t slot) {
  if (!live(slot)) throw std::out_of_range("a row is removed that is not there");
  Links& links = links_[slot];
  if (links.next) links_[links.next - 1].previous = links.previous;
  if (links.previous) {
    links_[links.previous - 1].next = links.next;
  } else {
    key_cells_.reserve(0);
    const uint64_t word = stored_word(slot);
    const uint64_t at = key_cells_.find(hash_value(int64_t(word)), [&](const KeyCell& cell) { return cell.head == slot + 1; });
    if (links.next) key_cells_[at].head = links.next;
    else key_cells_.erase(at);
  }
  if (counted_) {
    row_cells_.reserve(0);
    row_cells_.erase(row_cells_.find(tags_[slot], [&](const RowCell& cell) { return cell.slot == slot + 1; }));
    counts_[slot] = 0;
  }
  give_slot(slot);
}

void MultiState::find(std::span<const Input> keys, const uint32_t* rows, int64_t n, uint32_t* heads) {
  if (keys.size() != keys_.size()) throw std::invalid_argument("a probe has as many keys as its state");
  key_cells_.reserve(1);
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    for (size_t k = 0; k < keys_.size(); ++k) store_.load(keys_[k], keys[k], piece, loaded_keys_[k]);
    load_keys(loaded_keys_, true, piece.n);
    for (int i = 0; i < piece.n; ++i) {
      if (i + prefetch_distance < piece.n) key_cells_.prefetch(hash_value(int64_t(words_[size_t(i + prefetch_distance)])));
      heads[first + i] = matchable_[size_t(i)] ? key_cells_[key_cell(loaded_keys_, true, i)].head - 1 : no_slot;
    }
  }
}

bool MultiState::prepare(int64_t rows) { return key_cells_.prepare(rows) && (!counted_ || row_cells_.prepare(rows)); }

int64_t MultiState::bytes() const {
  return store_.bytes() + key_cells_.bytes() + row_cells_.bytes() +
         int64_t(links_.capacity() * sizeof(Links) + counts_.capacity() * 8 + tags_.capacity() * 4 + touched_.capacity() * 4 +
                 marks_.capacity() * 8 + marked_.capacity() + changed_marks_.capacity() * 16 + (dead_.capacity() + parted_.capacity()) * 4);
}

int64_t MultiState::bytes_after(int64_t rows) const {
  const int64_t room = int64_t(touched_.size());
  const int64_t growth = slots() + rows > room ? std::max<int64_t>(rows, room / 2) : 0;
  const int64_t each = store_.bytes_per_row() + int64_t(sizeof(Links)) + 4 + (counted_ ? 12 : 0) + (marks_.empty() ? 0 : 9);
  return bytes() - key_cells_.bytes() - row_cells_.bytes() + growth * each + growth * each / 2 + key_cells_.bytes_after(rows) +
         (counted_ ? row_cells_.bytes_after(rows) : 0);
}

void MultiState::clear() {
  store_.clear();
  key_cells_.clear();
  row_cells_.clear();
  links_.release();
  counts_.release();
  tags_.release();
  touched_.release();
  marks_.release();
  marked_.release();
  changed_marks_.clear();
  dead_.clear();
  parted_.clear();
  free_ = 0;
  rows_ = 0;
}

}  // namespace tableflow
