// Rows of DISTINCT calls: each value of a group counts once, when it comes first; in a changing table again when the last
// row with it has gone and another comes.
#include "group_selected.h"

namespace tableflow {

// Which rows of which set a call reads; calls with the same arguments share a set, so that a value is looked up once for all.
int GroupTable::distinct_number(const AggregateSpec& call) {
  int s = 0;
  for (; s < int(sets_.size()); ++s) {
    const DistinctSet& set = sets_[size_t(s)];
    if (set.arguments != call.arguments) continue;
    for (size_t number = 0; number < distinct_.size(); ++number)
      if (distinct_[number].set == s && set.filters[size_t(distinct_[number].filter)] == call.filter) return int(number);
    if (set.filters.size() < DistinctSet::most_filters) break;
  }
  if (s == int(sets_.size())) {
    DistinctSet& set = sets_.emplace_back();
    set.arguments = call.arguments;
    set.formats.assign(1, "i");
    set.formats.insert(set.formats.end(), call.formats.begin(), call.formats.end());
    set.entries.resize(piece_rows);
  }
  std::vector<int>& filters = sets_[size_t(s)].filters;
  filters.push_back(call.filter);
  distinct_.push_back({s, int(filters.size()) - 1});
  return int(distinct_.size()) - 1;
}

GroupTable::Selected& GroupTable::distinct_rows(std::span<const Input> arguments, const Piece& piece, int number) {
  for (size_t i = 0; i < cached_; ++i)
    if (cache_[i]->distinct == number) return *cache_[i];
  DistinctSet& set = sets_[size_t(distinct_[size_t(number)].set)];
  if (!set.placed) {
    // The rows that any of the filters keeps.
    Selected* from = nullptr;
    for (const int filter : set.filters)
      if (filter < 0 || set.filters.size() == 1) from = &filtered_values(arguments, piece, set, filter);
    if (!from) {
      uint8_t wanted[piece_rows] = {}, keep[piece_rows];
      for (const int filter : set.filters) {
        const Selected& rows = filtered_values(arguments, piece, set, filter);
        for (int i = 0; i < rows.n; ++i) wanted[rows.lanes[size_t(i)]] = 1;
      }
      const Selected& all = *cache_[0];
      for (int i = 0; i < all.n; ++i) keep[i] = wanted[all.lanes[size_t(i)]];
      from = &next_selected();
      from->distinct = Selected::on_the_way;
      keep_lanes(all, *from, keep);
    }
    place_values(*from, arguments, piece, set);
  }
  return new_values(filtered_values(arguments, piece, set, set.filters[size_t(distinct_[size_t(number)].filter)]), number);
}

// Rows where the filter holds and no argument is NULL.
GroupTable::Selected& GroupTable::filtered_values(std::span<const Input> arguments, const Piece& piece, const DistinctSet& set,
                                                  int filter) {
  Selected* from = &selected(arguments, piece, filter, set.arguments[0]);
  uint8_t keep[piece_rows];
  for (size_t a = 1; a < set.arguments.size(); ++a) {
    const Input& input = arguments[size_t(set.arguments[a])];
    if (!may_hold_nulls(*input.vector)) continue;
    with_positions(piece, input, [&](auto at) {
      for (int i = 0; i < from->n; ++i) keep[i] = row_is_valid(*input.vector, at(int(from->lanes[size_t(i)])));
    });
    Selected& next = next_selected();
    next.distinct = Selected::on_the_way;
    keep_lanes(*from, next, keep);
    from = &next;
  }
  return *from;
}

// The numbers of (group, values) of these rows.
void GroupTable::place_values(const Selected& from, std::span<const Input> arguments, const Piece& piece, DistinctSet& set) {
  const size_t n = size_t(from.n);
  std::vector<uint32_t> numbers(n), by_row(n), by_lane(n);
  for (size_t i = 0; i < n; ++i) {
    by_lane[i] = uint32_t(piece.first + from.lanes[i]);
    by_row[i] = piece.rows ? piece.rows[from.lanes[i]] : uint32_t(piece.base) + by_lane[i];
  }
  Vector group;
  group.kind = Kind::I32;
  group.length = from.n;
  group.data = reinterpret_cast<const uint8_t*>(from.groups.data());
  std::vector<Input> inputs{{&group, true, nullptr}};
  for (const int a : set.arguments) {
    const Input& input = arguments[size_t(a)];
    inputs.push_back({input.vector, input.dense, input.dense ? by_lane.data() : by_row.data()});
  }
  set.index->find_or_insert(inputs, Piece{nullptr, 0, from.n}, numbers.data());
  for (size_t i = 0; i < n; ++i) set.entries[from.lanes[i]] = numbers[i];
  set.grow(changing_);
  set.placed = true;
}

GroupTable::Selected& GroupTable::new_values(const Selected& from, int number) {
  DistinctSet& set = sets_[size_t(distinct_[size_t(number)].set)];
  const auto filter = size_t(distinct_[size_t(number)].filter);
  const auto n = size_t(from.n);
  uint8_t keep[piece_rows];
  Selected& to = next_selected();
  if (changing_) {
    std::vector<int64_t> turns(n);  // +1: the value has come, -1: it has gone
    for (size_t i = 0; i < n; ++i) {
      int64_t& count = set.counts[set.entries[from.lanes[i]] * set.filters.size() + filter];
      const bool had = count > 0;
      count += from.weights.empty() ? 1 : from.weights[i];
      turns[i] = int64_t(count > 0) - int64_t(had);
      keep[i] = turns[i] != 0;
    }
    keep_lanes(from, to, keep);
    to.weights.resize(piece_rows);
    size_t kept = 0;
    for (size_t i = 0; i < n; ++i)
      if (keep[i]) to.weights[kept++] = turns[i];
    to.clustered = false;
  } else {
    const auto mark = uint8_t(1u << filter);
    for (size_t i = 0; i < n; ++i) {
      uint8_t& seen = set.seen[set.entries[from.lanes[i]]];
      keep[i] = !(seen & mark);
      seen |= mark;
    }
    keep_lanes(from, to, keep);
  }
  to.distinct = number;
  return to;
}

}  // namespace tableflow
