// Rows of DISTINCT calls: each value of a group counts once, when it comes first; in a changing table again when the last
// row with it has gone and another comes.
#include "group_selected.h"

namespace tableflow {

GroupTable::Selected& GroupTable::distinct_rows(std::span<const Input> arguments, const Piece& piece, int number) {
  for (size_t i = 0; i < cached_; ++i)
    if (cache_[i]->distinct == number) return *cache_[i];
  const DistinctSet& set = sets_[size_t(number)];
  // Rows where the filter holds and no argument is NULL.
  uint8_t keep[piece_rows];
  Selected* from = &selected(arguments, piece, set.filter, set.arguments[0]);
  for (size_t a = 1; a < set.arguments.size(); ++a) {
    const Input& input = arguments[size_t(set.arguments[a])];
    with_positions(piece, input, [&](auto at) {
      for (int i = 0; i < from->n; ++i) keep[i] = row_is_valid(*input.vector, at(int(from->lanes[size_t(i)])));
    });
    Selected& next = next_selected();
    next.distinct = -2;  // not to be found
    keep_lanes(*from, next, keep);
    from = &next;
  }
  return new_values(*from, arguments, piece, number);
}

GroupTable::Selected& GroupTable::new_values(const Selected& from, std::span<const Input> arguments, const Piece& piece, int number) {
  DistinctSet& set = sets_[size_t(number)];
  // (group, values) of these rows; a row counts if it brings a new one.
  const size_t n = size_t(from.n);
  std::vector<uint32_t> numbers(n), by_row(n), by_lane(n);
  for (size_t i = 0; i < n; ++i) {
    by_lane[i] = uint32_t(piece.first + from.lanes[i]);
    by_row[i] = piece.rows ? piece.rows[from.lanes[i]] : by_lane[i];
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
  const Piece rows{nullptr, 0, from.n};
  const int64_t before = set.index->size();
  set.index->find_or_insert(inputs, rows, numbers.data());
  uint8_t keep[piece_rows];
  Selected& to = next_selected();
  if (changing_) {
    set.counts.resize_zero(size_t(set.index->size()));
    std::vector<int64_t> turns(n);  // +1: the value has come, -1: it has gone
    for (size_t i = 0; i < n; ++i) {
      int64_t& count = set.counts[numbers[i]];
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
    std::vector<uint8_t> taken(size_t(set.index->size() - before), 0);
    for (size_t i = 0; i < n; ++i) {
      const int64_t fresh = int64_t(numbers[i]) - before;
      keep[i] = fresh >= 0 && !taken[size_t(fresh)];
      if (keep[i]) taken[size_t(fresh)] = 1;
    }
    keep_lanes(from, to, keep);
  }
  to.distinct = number;
  return to;
}

}  // namespace tableflow
