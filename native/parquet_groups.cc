#include "parquet_groups.h"

#include "gather.h"

namespace tableflow::parquet {
namespace {

bool is_number(const Vector& v) { return v.kind == Kind::I8 || v.kind == Kind::I16 || v.kind == Kind::I32 || v.kind == Kind::I64; }

}  // namespace

GroupsReader::GroupsReader(DescriptorPtr file, std::vector<ChunkDefinition> columns, std::span<const ChunkPlaces> places,
                           std::span<const int64_t> rows, PageCachePtr cache)
    : groups_(rows.size()), entries_(columns.size()) {
  if (places.size() != columns.size()) throw std::out_of_range("a column has no places");
  for (const ChunkPlaces& place : places)
    if (place.offsets.size() != rows.size() || place.sizes.size() != rows.size()) throw std::out_of_range("a group has no place");
  for (size_t g = 0; g < rows.size(); ++g) {
    Group& group = groups_[g];
    group.rows = rows[g];
    for (size_t c = 0; c < columns.size(); ++c) {
      ChunkDefinition chunk = columns[c];
      chunk.offset = places[c].offsets[g];
      chunk.size = places[c].sizes[g];
      chunk.num_values = rows[g];
      group.readers.push_back(std::make_unique<ColumnChunkReader>(file, std::move(chunk), nullptr, cache));
    }
  }
}

VectorPtr GroupsReader::dictionary(size_t column) {
  if (column >= entries_.size()) throw std::out_of_range("a dictionary of no column");
  std::vector<Rows> parts;
  std::vector<int64_t> before{0};
  for (Group& group : groups_) {
    VectorPtr entries = group.readers[column]->dictionary();
    if (!entries) return nullptr;
    before.push_back(before.back() + entries->length);
    const int64_t length = entries->length;
    parts.push_back({std::move(entries), length});
  }
  entries_[column] = std::move(before);
  return concat(parts);
}

ColumnFilter GroupsReader::filter_of(const ColumnFilter& filter, size_t group, std::vector<uint8_t>& accepted) {
  if (filter.column >= entries_.size()) throw std::out_of_range("a filter of no column");
  if (filter.accepted) {
    const auto& before = entries_[filter.column];
    if (before.empty() || int64_t(filter.accepted->size()) != before.back()) throw std::out_of_range("a filter of other entries");
    return {filter.column, filter.accepted->subspan(size_t(before[group]), size_t(before[group + 1] - before[group])), {}};
  }
  const VectorPtr entries = groups_[group].readers[filter.column]->dictionary();
  if (!entries || !is_number(*entries)) return filter;
  std::vector<uint32_t> inside(size_t(entries->length) + 1);  // one that is not kept is written, too
  const int64_t kept = rows_among(*entries, filter.numbers, inside.data());
  accepted.assign(size_t(entries->length), 0);
  for (int64_t i = 0; i < kept; ++i) accepted[inside[size_t(i)]] = 1;
  return {filter.column, std::span<const uint8_t>(accepted), {}};
}

GroupRows GroupsReader::read(std::span<const ColumnFilter> filters) {
  GroupRows all;
  all.all = true;
  std::vector<std::vector<Rows>> parts(entries_.size());
  std::vector<GroupRows> found(groups_.size());
  int64_t total = 0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::vector<std::vector<uint8_t>> accepted(filters.size());
    std::vector<ColumnFilter> mine;
    for (size_t f = 0; f < filters.size(); ++f) mine.push_back(filter_of(filters[f], g, accepted[f]));
    std::vector<ColumnChunkReader*> readers;
    for (const auto& reader : groups_[g].readers) readers.push_back(reader.get());
    // The last group is read whatever is left of it, so that there is something of the right type.
    const bool may_stop = total > 0 || g + 1 < groups_.size();
    GroupRows one = read_group(readers, groups_[g].rows, mine, may_stop);
    if (one.refused >= 0) throw Unsupported("a column chunk is not decoded here");
    const int64_t left = one.all ? groups_[g].rows : int64_t(one.at.size());
    all.all = all.all && one.all;
    total += left;
    if (all.after.size() < one.after.size()) all.after.resize(one.after.size());
    for (size_t f = 0; f < one.after.size(); ++f) all.after[f] += one.after[f];
    if (left || !may_stop)
      for (size_t c = 0; c < parts.size(); ++c) parts[c].push_back({std::move(one.columns[c]), left});
    for (const auto& reader : groups_[g].readers) {
      pages_.decompressed += reader->pages().decompressed;
      pages_.cached += reader->pages().cached;
    }
    groups_[g].readers.clear();
    found[g] = std::move(one);
  }
  for (std::vector<Rows>& column : parts) {
    all.columns.push_back(column.size() == 1 ? column[0].vector : concat(column));
    column.clear();
  }
  if (all.all) return all;
  uint32_t before = 0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (found[g].all)
      for (int64_t row = 0; row < groups_[g].rows; ++row) all.at.push_back(before + uint32_t(row));
    for (const uint32_t row : found[g].at) all.at.push_back(before + row);
    before += uint32_t(groups_[g].rows);
  }
  return all;
}

}  // namespace tableflow::parquet
