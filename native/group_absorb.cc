// Groups moved from table to table, forgotten, saved and loaded.
#include <algorithm>
#include <numeric>

#include "group_selected.h"

namespace tableflow {

namespace {

std::vector<Input> whole_inputs(const std::vector<VectorPtr>& vectors) {
  std::vector<Input> inputs;
  for (const auto& vector : vectors) inputs.push_back({vector.get(), true, nullptr});
  return inputs;
}

}  // namespace

void GroupTable::absorb(GroupTable& other, const uint32_t* from, int64_t n, uint32_t* to, const std::vector<VectorPtr>* keys) {
  if (other.key_count() != key_count() || other.slots_.size() != slots_.size() || other.changing_ != changing_)
    throw std::invalid_argument("only tables that were made alike are merged");
  for (int64_t first = 0; first < n; first += piece_rows) {
    const int count = int(std::min<int64_t>(piece_rows, n - first));
    const Moves moves{from + first, to + first, count};
    const Piece piece{nullptr, keys ? first : 0, count};
    std::vector<VectorPtr> own;
    for (int c = 0; !keys && c < key_count(); ++c) own.push_back(other.key(c, Groups(moves.from, count)));
    const std::vector<Input> inputs = whole_inputs(keys ? *keys : own);
    const int64_t before = groups_;
    index_->find_or_insert(inputs, piece, group_of_.data());
    std::copy_n(group_of_.begin(), count, to + first);
    resize(index_->size());
    spell_intervals(inputs, piece);
    for (size_t s = 0; s < slots_.size(); ++s) {
      Slot& slot = slots_[s];
      const Slot& theirs = other.slots_[s];
      if (slot.distinct < 0) slot.accumulator->absorb(*theirs.accumulator, moves);
      if (slot.presence && (slot.distinct < 0 || !changing_)) {
        slot.presence->absorb(*theirs.presence, moves, before);
        slot.presence->resize(groups_);
      }
    }
  }
  absorb_values(other, {from, to, n});
}

// Values of DISTINCT calls are counted as if their rows came again.
void GroupTable::absorb_values(GroupTable& other, const Moves& moves) {
  if (sets_.empty()) return;
  // A group may be moved to several: by source, in order.
  std::vector<std::pair<uint32_t, uint32_t>> targets;
  for (int64_t i = 0; i < moves.n; ++i) targets.emplace_back(moves.from[i], moves.to[i]);
  std::sort(targets.begin(), targets.end());
  for (size_t number = 0; number < distinct_.size(); ++number) {
    DistinctSet& theirs = other.sets_[size_t(distinct_[number].set)];
    const size_t filter = size_t(distinct_[number].filter), filters = theirs.filters.size();
    const int64_t entries = theirs.index->size();
    std::vector<uint32_t> chosen, groups;
    const VectorPtr owners = theirs.index->column(0, Groups(int64_t(0), entries));
    for (int64_t e = 0; e < entries; ++e) {
      const auto owner = uint32_t(owners->values<int32_t>()[e]);
      if (changing_ ? theirs.counts[size_t(e) * filters + filter] == 0 : !(theirs.seen[size_t(e)] >> filter & 1)) continue;
      for (auto at = std::lower_bound(targets.begin(), targets.end(), std::pair(owner, uint32_t(0)));
           at != targets.end() && at->first == owner; ++at) {
        chosen.push_back(uint32_t(e));
        groups.push_back(at->second);
      }
    }
    const std::vector<int>& places = theirs.arguments;
    for (size_t first = 0; first < chosen.size(); first += piece_rows) {
      const int n = int(std::min<size_t>(piece_rows, chosen.size() - first));
      std::vector<VectorPtr> values;
      std::vector<Input> arguments(size_t(*std::max_element(places.begin(), places.end())) + 1);
      for (size_t a = 0; a < places.size(); ++a) {
        values.push_back(theirs.index->column(int(a) + 1, Groups(chosen.data() + first, n)));
        arguments[size_t(places[a])] = {values.back().get(), true, nullptr};
      }
      const Piece piece{nullptr, 0, n};
      begin_piece();
      Selected& all = next_selected();
      all.n = n;
      all.clustered = false;
      std::iota(all.lanes.begin(), all.lanes.begin() + n, 0u);
      std::copy_n(groups.begin() + int64_t(first), n, all.groups.begin());
      if (changing_) {
        all.weights.resize(piece_rows);
        for (int i = 0; i < n; ++i) all.weights[size_t(i)] = theirs.counts[chosen[first + size_t(i)] * filters + filter];
      }
      place_values(all, arguments, piece, sets_[size_t(distinct_[number].set)]);
      Selected& fresh = new_values(all, int(number));
      for (Slot& slot : slots_)
        if (slot.distinct == int(number)) update_slot(slot, fresh, arguments, piece, groups_);
    }
  }
}

void GroupTable::locate(std::span<const Input> keys, int64_t n, uint32_t* numbers) {
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    index_->find_or_insert(keys, piece, group_of_.data());
    std::copy_n(group_of_.begin(), piece.n, numbers + first);
    if (index_->size() == groups_) continue;
    for (Slot& slot : slots_)
      if (slot.presence) slot.presence->track(groups_);
    resize(index_->size());
    spell_intervals(keys, piece);
  }
}

void GroupTable::retain(const uint32_t* numbers, int64_t n) {
  GroupTable kept(key_formats_, specs_);
  std::vector<uint32_t> to(static_cast<size_t>(n));
  kept.absorb(*this, numbers, n, to.data());
  *this = std::move(kept);
}

bool GroupTable::vacant(int64_t group) const {
  return std::all_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.accumulator->vacant(group) && (!slot.presence || slot.presence->vacant(group));
  });
}

std::string GroupTable::save() const {
  StateWriter out;
  for (const Slot& slot : slots_) {
    slot.accumulator->save(out);
    if (slot.presence) slot.presence->save(out);
  }
  return out.bytes();
}

std::vector<std::vector<VectorPtr>> GroupTable::distinct_values() {
  std::vector<std::vector<VectorPtr>> out;
  for (DistinctSet& set : sets_) {
    const int64_t n = set.index->size();
    auto& columns = out.emplace_back();
    for (int c = 0; c < set.index->columns(); ++c) columns.push_back(set.index->column(c, Groups(int64_t(0), n)));
    const size_t filters = set.filters.size();
    for (size_t f = 0; f < filters; ++f) {
      auto counts = std::make_shared<Buffer>(size_t(n) * 8);
      for (size_t i = 0; i < size_t(n); ++i)
        counts->as<int64_t>()[i] = changing_ ? set.counts[i * filters + f] : int64_t(set.seen[i] >> f & 1);
      columns.push_back(make_fixed(Kind::I64, "l", n, std::move(counts), nullptr, 0));
    }
  }
  return out;
}

void GroupTable::load(const std::vector<VectorPtr>& keys, int64_t groups, const std::vector<std::vector<VectorPtr>>& sets,
                      std::string_view state) {
  if (int(keys.size()) != key_count() || sets.size() != sets_.size()) throw std::invalid_argument("a saved state is of another table");
  const auto insert = [&](KeyIndex& index, std::span<const Input> inputs, int64_t n) {
    // A single NULL must get its old number: an index of texts numbers it behind all texts of its piece.
    int64_t null = 0;
    while (inputs.size() == 1 && null < n && row_is_valid(*inputs[0].vector, null)) ++null;
    for (int64_t first = 0, rows = 0; first < n; first += rows) {
      rows = std::min<int64_t>(piece_rows, (first < null ? std::min(n, null) : first == null ? first + 1 : n) - first);
      const Piece piece{nullptr, first, int(rows)};
      index.find_or_insert(inputs, piece, group_of_.data());
      if (&index == index_.get()) {
        resize(index.size());
        spell_intervals(inputs, piece);
      }
    }
    if (index.size() != std::max<int64_t>(n, index.columns() == 0)) throw std::invalid_argument("a saved state is damaged");
  };
  clear();
  insert(*index_, whole_inputs(keys), keys.empty() ? 0 : groups);
  for (size_t s = 0; s < sets.size(); ++s) {
    DistinctSet& set = sets_[s];
    const size_t filters = set.filters.size(), columns = set.formats.size();
    bool whole = sets[s].size() == columns + filters;
    for (size_t f = 0; whole && f < filters; ++f) whole = sets[s][columns + f]->kind == Kind::I64;
    if (!whole) throw std::invalid_argument("a saved state is damaged");
    const int64_t n = sets[s].back()->length;
    std::vector<Input> inputs = whole_inputs(sets[s]);
    inputs.resize(columns);
    insert(*set.index, inputs, n);
    set.grow(changing_);
    for (size_t f = 0; f < filters; ++f) {
      const int64_t* counts = sets[s][columns + f]->values<int64_t>();
      for (size_t i = 0; i < size_t(n); ++i) {
        if (changing_) set.counts[i * filters + f] = counts[i];
        else set.seen[i] |= uint8_t((counts[i] > 0) << f);
      }
    }
  }
  StateReader in(state);
  for (Slot& slot : slots_) {
    slot.accumulator->load(in);
    if (slot.presence) slot.presence->load(in);
  }
}

}  // namespace tableflow
