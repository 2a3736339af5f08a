#include "parquet_group.h"

#include <memory>
#include <stdexcept>
#include <system_error>

#include "gather.h"

namespace tableflow::parquet {
namespace {

bool is_number(const Vector& v) {
  const bool integer = v.kind == Kind::I8 || v.kind == Kind::I16 || v.kind == Kind::I32 || v.kind == Kind::I64;
  return integer && !v.dictionary;
}

// What one filter leaves of the rows that are left: their values, and which of them these are; nothing if they are all.
struct Left {
  VectorPtr values;
  std::vector<uint32_t> kept;
  bool all = false;
};

class Reading {
 public:
  Reading(std::span<ColumnChunkReader* const> readers, int64_t rows) : readers_(readers), rows_(rows) {
    result_.columns.resize(readers.size());
  }

  GroupRows run(std::span<const ColumnFilter> filters, bool last) {
    size_t column = 0;
    try {
      for (const ColumnFilter& filter : filters) {
        column = filter.column;
        if (column >= readers_.size() || result_.columns[column]) throw std::out_of_range("a filter of no column");
        apply(filter);
        result_.after.push_back(left());
        if (last && !result_.all && result_.at.empty()) return std::move(result_);
      }
      for (column = 0; column < readers_.size(); ++column)
        if (!result_.columns[column]) result_.columns[column] = values(*readers_[column]);
    } catch (const std::logic_error&) {  // damaged, or more rows than there are
      result_.refused = int64_t(column);
    } catch (const Unsupported&) {
      result_.refused = int64_t(column);
    } catch (const std::system_error&) {
      result_.refused = int64_t(column);
    }
    return std::move(result_);
  }

 private:
  int64_t left() const { return result_.all ? rows_ : int64_t(result_.at.size()); }

  VectorPtr values(ColumnChunkReader& reader) const {
    return result_.all ? reader.read(rows_) : reader.read_at(rows_, result_.at.data(), left());
  }

  Left filtered(const ColumnFilter& filter) const {
    ColumnChunkReader& reader = *readers_[filter.column];
    Left found;
    if (filter.accepted) {
      const auto accepted = *filter.accepted;
      // no rows are left where there is no place, which need not have memory: only the count says that all are meant
      const int64_t count = result_.all ? -1 : left();
      Matching matching = reader.read_matching(rows_, result_.at.data(), count, accepted.data(), int64_t(accepted.size()));
      found.all = int64_t(matching.kept.size()) == left();
      found.kept = std::move(matching.kept);
      found.values = std::move(matching.vector);
      return found;
    }
    found.values = values(reader);
    if (!is_number(*found.values)) {
      found.all = true;
      return found;
    }
    const std::unique_ptr<uint32_t[]> room(new uint32_t[size_t(left()) + 1]);  // a row that is not kept is written, too
    const int64_t kept = rows_among(*found.values, filter.numbers, room.get());
    found.kept.assign(room.get(), room.get() + kept);
    found.all = int64_t(found.kept.size()) == left();
    if (!found.all) found.values = gather(found.values, found.kept.data(), int64_t(found.kept.size()));
    return found;
  }

  void apply(const ColumnFilter& filter) {
    Left found = filtered(filter);
    if (!found.all) {
      for (VectorPtr& before : result_.columns)
        if (before) before = gather(before, found.kept.data(), int64_t(found.kept.size()));
      if (!result_.all)
        for (uint32_t& row : found.kept) row = result_.at[row];
      result_.at = std::move(found.kept);
      result_.all = false;
    }
    result_.columns[filter.column] = std::move(found.values);
  }

  std::span<ColumnChunkReader* const> readers_;
  int64_t rows_;
  GroupRows result_;
};

}  // namespace

GroupRows read_group(std::span<ColumnChunkReader* const> readers, int64_t rows, std::span<const ColumnFilter> filters, bool last) {
  return Reading(readers, rows).run(filters, last);
}

}  // namespace tableflow::parquet
