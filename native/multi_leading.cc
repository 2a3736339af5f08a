// The first rows of each key where rows are only added: a row is compared with those that are kept, from the last one on.
#include "multi_state.h"

namespace tableflow {

namespace {

constexpr int prefetch_distance = 12;

}  // namespace

// A key of the batch at hand: which rows it had stands in `before`, from its last one to its first.
struct MultiState::Led {
  uint64_t word;
  size_t begin;
  int64_t had, has;
};

// Whether row i of the piece comes before a row that is kept.
bool MultiState::goes_before(int i, uint32_t slot, std::span<const SlotOrder> order) const {
  for (const SlotOrder& key : order) {
    const LoadedColumn& column = loaded_[size_t(key.column)];
    const bool null = column.any_null && column.nulls[size_t(i)], other = store_.is_null(key.column, slot);
    if (null || other) {
      if (null && other) continue;
      return null == key.nulls_first;
    }
    const int found = store_.compare(key.column, column, i, slot);
    if (found) return (found < 0) != key.descending;
  }
  return false;
}

void MultiState::lead_piece(const Piece& piece, std::span<const SlotOrder> order, int64_t limit, std::vector<Led>& keys,
                            std::vector<uint32_t>& before, std::vector<uint32_t>& fresh) {
  for (int i = 0; i < piece.n; ++i) {
    if (i + prefetch_distance < piece.n) key_cells_.prefetch(hash_value(int64_t(words_[size_t(i + prefetch_distance)])));
    if (!matchable_[size_t(i)]) continue;
    const uint64_t at = key_cell(loaded_, false, i);
    KeyCell& cell = key_cells_[at];
    if (!cell.led) {
      Led key{words_[size_t(i)], before.size(), 0, 0};
      for (uint32_t slot = cell.head; slot; slot = links_[slot - 1].next) before.push_back(slot - 1);
      key.had = key.has = int64_t(before.size() - key.begin);
      keys.push_back(key);
    }
    const uint32_t number = cell.led ? cell.led : uint32_t(keys.size());
    Led& key = keys[number - 1];
    uint32_t worse = 0, better = cell.head;
    for (; better && goes_before(i, better - 1, order); better = links_[better - 1].next) worse = better;
    if (!worse && key.has == limit) {
      cell.led = number;
      continue;
    }
    const uint32_t slot = store(i);
    fresh.push_back(slot);
    touched_[slot] = 1;
    links_[slot] = {better, worse};
    if (better) links_[better - 1].previous = slot + 1;
    if (worse) links_[worse - 1].next = slot + 1;
    if (cell.used()) {
      cell.led = number;
      if (!worse) cell.head = slot + 1;
    } else {
      key_cells_.put(at, {key.word, slot + 1, number});
    }
    if (++key.has <= limit) continue;
    const uint32_t last = cell.head - 1;
    cell.head = links_[last].next;
    links_[cell.head - 1].previous = 0;
    key.has = limit;
    if (touched_[last]) {
      touched_[last] = 0;
      give_slot(last);
    } else {
      links_[last] = {};
      parted_.push_back(last);
    }
  }
}

LeadingChanges MultiState::lead(std::span<const Input> inputs, const uint32_t* rows, int64_t n, std::span<const SlotOrder> order,
                                int64_t limit, bool placed) {
  if (counted_) throw std::invalid_argument("first rows are kept one by one");
  if (limit < 1) throw std::invalid_argument("there are no first rows");
  if (int(inputs.size()) != store_.columns()) throw std::invalid_argument("a row has as many columns as its state");
  for (const SlotOrder& key : order)
    if (key.column < 0 || key.column >= store_.columns()) throw std::out_of_range("an order has a column that is not there");
  settle();
  store_.begin(inputs);
  std::vector<Led> keys;
  std::vector<uint32_t> before, fresh;
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    for (int c = 0; c < store_.columns(); ++c) store_.load(c, inputs[size_t(c)], piece, loaded_[size_t(c)]);
    load_keys(loaded_, false, piece.n);
    key_cells_.reserve(piece.n);
    lead_piece(piece, order, limit, keys, before, fresh);
  }
  LeadingChanges out;
  if (placed) {
    tell_places(keys, before, out);
  } else {
    out.slots = parted_;
    out.gone = int64_t(parted_.size());
  }
  for (const uint32_t slot : fresh) {
    if (!touched_[slot]) continue;  // it went again, or its slot was here before
    touched_[slot] = 0;
    if (!placed) out.slots.push_back(slot);
  }
  for (size_t i = 0; i < keys.size(); ++i)
    key_cells_[key_cells_.find(hash_value(int64_t(keys[i].word)), [&](const KeyCell& cell) { return cell.led == i + 1; })].led = 0;
  return out;
}

// Rows that have another place than before, or only now or no more have one.
void MultiState::tell_places(const std::vector<Led>& keys, const std::vector<uint32_t>& before, LeadingChanges& out) const {
  std::vector<uint32_t> come, after;
  std::vector<int64_t> places;
  for (size_t i = 0; i < keys.size(); ++i) {
    const Led& key = keys[i];
    const auto own = [&](const KeyCell& cell) { return cell.led == i + 1; };
    after.clear();
    for (uint32_t slot = key_cells_[key_cells_.find(hash_value(int64_t(key.word)), own)].head; slot; slot = links_[slot - 1].next)
      after.push_back(slot - 1);
    for (int64_t place = 0; place < std::max(key.had, key.has); ++place) {
      const uint32_t old = place < key.had ? before[key.begin + size_t(key.had - 1 - place)] : no_slot;
      const uint32_t now = place < key.has ? after[size_t(key.has - 1 - place)] : no_slot;
      if (old == now) continue;
      if (old != no_slot) {
        out.slots.push_back(old);
        out.places.push_back(place);
      }
      if (now != no_slot) {
        come.push_back(now);
        places.push_back(place);
      }
    }
  }
  out.gone = int64_t(out.slots.size());
  out.slots.insert(out.slots.end(), come.begin(), come.end());
  out.places.insert(out.places.end(), places.begin(), places.end());
}

}  // namespace tableflow
