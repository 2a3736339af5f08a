#include "group_selected.h"

#include <algorithm>

namespace tableflow {

namespace {

// DISTINCT changes nothing.
bool idempotent(const std::string& function) {
  return function == "min" || function == "max" || function == "any_value" || function == "bool_and" || function == "bool_or";
}

}  // namespace

GroupTable::GroupTable(const std::vector<std::string>& key_formats, const std::vector<AggregateSpec>& calls)
    : key_formats_(key_formats), index_(std::make_unique<KeyIndex>(key_formats)), specs_(calls), group_of_(piece_rows) {
  changing_ = !calls.empty() && calls[0].changing;
  for (const AggregateSpec& call : calls)
    if (call.changing != changing_) throw std::invalid_argument("either all calls are changing or none is");
  for (size_t i = 0; i < calls.size(); ++i) {
    const AggregateSpec& call = calls[i];
    calls_.emplace_back(int(i), call, call.distinct && !idempotent(call.function) ? distinct_number(call) : -1, slots_);
  }
  for (const auto& format : key_formats)
    spellings_.push_back(format == "tin" ? std::make_unique<IntervalExtreme>(true) : nullptr);
  clear();
}

GroupTable::~GroupTable() = default;
GroupTable& GroupTable::operator=(GroupTable&&) = default;

void GroupTable::clear() {
  index_ = std::make_unique<KeyIndex>(key_formats_);
  for (Slot& slot : slots_) {
    slot.accumulator->clear();
    if (slot.presence) slot.presence->clear();
    // Without keys there is a group before there is a row.
    if (slot.presence && key_formats_.empty()) slot.presence->track(0);
  }
  for (const auto& spelling : spellings_)
    if (spelling) spelling->clear();
  for (DistinctSet& set : sets_) {
    set.index = std::make_unique<KeyIndex>(set.formats);
    set.seen.release();
    set.counts.release();
  }
  groups_ = 0;
  resize(index_->size());
}

void GroupTable::resize(int64_t groups) {
  if (groups == groups_) return;
  groups_ = groups;
  for (const auto& spelling : spellings_)
    if (spelling) spelling->resize(groups);
  for (Slot& slot : slots_) {
    slot.accumulator->resize(groups);
    if (slot.presence) slot.presence->resize(groups);
  }
}

void GroupTable::update(std::span<const Input> keys, std::span<const Input> arguments, const uint32_t* rows, int64_t n,
                        uint32_t* numbers, const int64_t* weights, int64_t base) {
  if (weights && !changing_ && !calls_.empty()) throw std::invalid_argument("rows that change need calls that can take them away");
  weights_ = weights;
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first)), base};
    const int64_t before = groups_;
    index_->find_or_insert(keys, piece, group_of_.data());
    resize(index_->size());
    spell_intervals(keys, piece);
    if (numbers) std::copy_n(group_of_.begin(), piece.n, numbers + first);
    update_piece(arguments, piece, before);
  }
  weights_ = nullptr;
}

// Equal intervals may be written in several ways; which one a group shows must not depend on the order of rows.
void GroupTable::spell_intervals(std::span<const Input> keys, const Piece& piece) {
  for (size_t c = 0; c < spellings_.size(); ++c) {
    if (!spellings_[c] || keys[c].vector->kind == Kind::Null) continue;
    uint32_t places[piece_rows];
    with_positions(piece, keys[c], [&](auto at) {
      for (int i = 0; i < piece.n; ++i) places[i] = uint32_t(at(i));
    });
    Lanes lanes;
    lanes.groups = group_of_.data();
    lanes.n = piece.n;
    lanes.index = places;
    spellings_[c]->update(keys[c].vector, lanes);
  }
}

VectorPtr GroupTable::key(int column, const Groups& of) {
  VectorPtr found = index_->column(column, of);
  if (!spellings_[size_t(column)] || found->kind != Kind::Interval) return found;
  auto data = std::make_shared<Buffer>(size_t(of.n) * 16);
  for (int64_t i = 0; i < of.n; ++i) data->as<int128>()[i] = spellings_[size_t(column)]->at(of[i]);
  auto spelled = std::make_shared<Vector>(*found);
  spelled->data = data->data();
  spelled->owners.push_back(std::move(data));
  return spelled;
}

bool GroupTable::prepare(int64_t rows, const Deadline& deadline) {
  if (!index_->prepare(rows, deadline)) return false;
  return std::all_of(sets_.begin(), sets_.end(), [&](auto& set) { return set.index->prepare(rows, deadline); });
}

void GroupTable::spread(std::span<const Input> arguments, const uint32_t* rows, int64_t n, int64_t length) {
  for (Slot& slot : slots_) {
    slot.accumulator->clear();
    if (slot.presence) {
      slot.presence->clear();
      slot.presence->track(0);
    }
  }
  groups_ = 0;
  resize(length);
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    for (int i = 0; i < piece.n; ++i) group_of_[size_t(i)] = rows ? piece.rows[i] : uint32_t(first + i);
    update_piece(arguments, piece, 0);
  }
}

void GroupTable::begin_piece() {
  cached_ = 0;
  for (DistinctSet& set : sets_) set.placed = false;
}

GroupTable::Selected& GroupTable::next_selected() {
  if (cached_ == cache_.size()) cache_.push_back(std::make_unique<Selected>());
  Selected& next = *cache_[cached_++];
  next.filter = next.argument = next.distinct = -1;
  next.has_rows = false;
  next.weights.clear();
  return next;
}

void GroupTable::keep_lanes(const Selected& from, Selected& to, const uint8_t* keep) {
  int n = 0;
  const bool weighted = !from.weights.empty();
  if (weighted) to.weights.resize(piece_rows);
  for (int i = 0; i < from.n; ++i) {
    to.lanes[size_t(n)] = from.lanes[size_t(i)];
    to.groups[size_t(n)] = from.groups[size_t(i)];
    if (weighted) to.weights[size_t(n)] = from.weights[size_t(i)];
    n += keep[i];
  }
  to.n = n;
  to.clustered = from.clustered;
  if (to.clustered) to.find_runs();
}

GroupTable::Selected& GroupTable::selected(std::span<const Input> arguments, const Piece& piece, int filter, int argument) {
  if (argument >= 0 && !may_hold_nulls(*arguments[size_t(argument)].vector)) argument = -1;
  for (size_t i = 0; i < cached_; ++i) {
    Selected& known = *cache_[i];
    if (known.distinct == -1 && known.filter == filter && known.argument == argument) return known;
  }
  const Selected& from = argument >= 0 ? selected(arguments, piece, filter, -1) : *cache_[0];
  Selected& to = next_selected();
  to.filter = filter;
  to.argument = argument;
  const Input& input = arguments[size_t(argument >= 0 ? argument : filter)];
  const Vector& v = *input.vector;
  if (argument < 0 && v.kind != Kind::Bool && v.kind != Kind::Null) throw std::invalid_argument("a filter is boolean");
  uint8_t keep[piece_rows];
  with_positions(piece, input, [&](auto at) {
    for (int i = 0; i < from.n; ++i) {
      const int64_t row = at(int(from.lanes[size_t(i)]));
      keep[i] = row_is_valid(v, row) && (argument >= 0 || bit(v.data, v.offset + row));
    }
  });
  keep_lanes(from, to, keep);
  return to;
}

Lanes GroupTable::lanes_for(const Selected& rows, const Input* input, const Piece& piece) {
  Lanes lanes;
  lanes.groups = rows.groups.data();
  lanes.n = rows.n;
  if (rows.clustered) {
    lanes.runs = rows.runs.data();
    lanes.run_count = int(rows.runs.size());
  }
  if (!rows.weights.empty()) lanes.weights = rows.weights.data();
  lanes.index = rows.lanes.data();
  lanes.base = piece.first + (input && !input->dense ? piece.base : 0);
  if (input && piece.rows && !input->dense) {
    auto& own = const_cast<Selected&>(rows);
    if (!own.has_rows) {
      for (int i = 0; i < rows.n; ++i) own.rows[size_t(i)] = piece.rows[rows.lanes[size_t(i)]];
      own.has_rows = true;
    }
    lanes.index = rows.rows.data();
    lanes.base = 0;
  }
  return lanes;
}

void GroupTable::update_piece(std::span<const Input> arguments, const Piece& piece, int64_t before) {
  if (slots_.empty()) return;
  order_by_group(piece, false);
  update_slots(arguments, piece, before);
}

void GroupTable::update_slots(std::span<const Input> arguments, const Piece& piece, int64_t before) {
  for (Slot& slot : slots_) {
    Selected& rows = slot.distinct >= 0 ? distinct_rows(arguments, piece, slot.distinct)
                                        : selected(arguments, piece, slot.filter, slot.skips_nulls ? slot.argument : -1);
    update_slot(slot, rows, arguments, piece, before);
  }
}

void GroupTable::update_slot(Slot& slot, Selected& rows, std::span<const Input> arguments, const Piece& piece, int64_t before) {
  const Input* input = slot.argument >= 0 ? &arguments[size_t(slot.argument)] : nullptr;
  const Lanes lanes = lanes_for(rows, input, piece);
  if (slot.presence) {
    if (slot.filter >= 0 || (slot.distinct < 0 && lanes.n < cache_[0]->n) || (slot.distinct >= 0 && may_hold_nulls(*input->vector)))
      slot.presence->track(before);
    slot.presence->resize(groups_);
    slot.presence->mark(lanes);
  }
  if (auto* moments = dynamic_cast<Moments*>(slot.accumulator.get()); moments && !slot.skips_nulls) {
    moments->merge(*input->vector, *arguments[size_t(slot.argument + 1)].vector, *arguments[size_t(slot.argument + 2)].vector, lanes);
  } else if (lanes.n && (!input || input->vector->kind != Kind::Null)) {
    slot.accumulator->update(input ? input->vector : nullptr, lanes);
  }
}

std::vector<VectorPtr> GroupTable::states(const Groups& of) const {
  std::vector<VectorPtr> out;
  for (const auto& call : calls_) call.states(slots_, of, out);
  return out;
}

int64_t GroupTable::bytes() const {
  int64_t total = index_->bytes();
  for (const auto& spelling : spellings_) total += spelling ? spelling->bytes() : 0;
  for (const Slot& slot : slots_) total += slot.accumulator->bytes() + (slot.presence ? slot.presence->bytes() : 0);
  for (const auto& set : sets_) total += int64_t(set.bytes());
  return total;
}

int64_t GroupTable::bytes_after(int64_t rows) const {
  int64_t total = index_->bytes_after(rows);
  for (const auto& spelling : spellings_)
    if (spelling) total += std::max(spelling->bytes(), 2 * (groups_ + rows) * spelling->bytes_per_group());
  for (const Slot& slot : slots_)
    total += std::max(slot.accumulator->bytes(), 2 * (groups_ + rows) * (slot.accumulator->bytes_per_group() + 1));
  for (const auto& set : sets_) {
    const size_t marks = changing_ ? set.filters.size() * 8 : 1;  // bytes of a value
    total += int64_t(set.bytes()) - set.index->bytes() + set.index->bytes_after(rows) + 2 * rows * int64_t(marks);
  }
  return total;
}

}  // namespace tableflow
