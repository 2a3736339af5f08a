// Rows of a column chunk by their places: what is not asked for is passed over as cheaply as its encoding allows.
#include <algorithm>

#include "parquet_column.h"

namespace tableflow::parquet {

struct ColumnChunkReader::Filter {
  const uint8_t* accepted;  // of each entry of the dictionary
  uint32_t entries;
};

VectorPtr ColumnChunkReader::read_at(int64_t rows, const uint32_t* at, int64_t count) {
  return take(rows, at, count, nullptr).vector;
}

Matching ColumnChunkReader::read_matching(int64_t rows, const uint32_t* at, int64_t count, const uint8_t* accepted,
                                          int64_t entries) {
  const Filter filter{accepted, uint32_t(std::clamp<int64_t>(entries, 0, UINT32_MAX))};
  return take(rows, at, count, &filter);
}

Matching ColumnChunkReader::take(int64_t rows, const uint32_t* at, int64_t count, const Filter* filter) {
  if (rows < 0 || rows > left_) throw std::out_of_range("more rows than the column chunk has left");
  for (int64_t i = 0; i < count; ++i)
    if (at[i] >= uint64_t(rows) || (i && at[i] <= at[i - 1])) throw std::invalid_argument("places that do not ascend");
  Matching result;
  taken_validity_ = nullptr;
  if (chunk_.optional) {
    taken_validity_ = std::make_shared<Buffer>(size_t(count + 7) / 8);
    std::memset(taken_validity_->data(), 0, taken_validity_->size());
  }
  taken_ = taken_nulls_ = 0;
  taken_rows_ = filter ? &result.rows : nullptr;
  exact_ = true;
  if (filter) result.rows.reserve(size_t(count));
  sink_->begin(count, taken_validity_ ? taken_validity_->data() : nullptr);
  int64_t next = 0;
  for (int64_t row = 0; row < rows;) {
    if (page_.left == 0) {
      const int64_t passed = next_page((next < count ? int64_t(at[next]) : rows) - row);
      left_ -= passed;
      row += passed;
      continue;
    }
    const int64_t n = std::min(rows - row, page_.left);
    int64_t to = next;
    while (to < count && at[to] < row + n) ++to;
    take_from_page(row, n, at + next, to - next, filter);
    next = to;
    page_.left -= n;
    left_ -= n;
    row += n;
  }
  result.vector = sink_->finish(taken_, taken_nulls_ ? std::move(taken_validity_) : nullptr, taken_nulls_);
  result.exact = exact_;
  return result;
}

void ColumnChunkReader::take_from_page(int64_t row, int64_t n, const uint32_t* at, int64_t count, const Filter* filter) {
  // Which of the places are present, and where among the present values of the page they are.
  int64_t passed = n;
  places_.resize(size_t(count));
  present_.clear();
  if (chunk_.optional) {
    levels_.assign(size_t(n + 7) / 8 + 64, 0);
    passed = read_levels(levels_.data(), 0, n);
  }
  int64_t present = 0;
  if (passed == n) {
    for (int64_t i = 0; i < count; ++i) places_[size_t(i)] = uint32_t(at[i] - row);
    present = count;
  } else {
    present_.resize(size_t(count));
    int64_t seen = 0, rank = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t place = at[i] - row;
      rank += place - seen - count_nulls(levels_.data(), seen, place - seen);
      seen = place;
      present_[size_t(i)] = bit(levels_.data(), place);
      if (present_[size_t(i)]) places_[size_t(present++)] = uint32_t(rank);
    }
  }
  const bool coded = page_.encoding == Encoding::RleDictionary;
  if (coded) {
    codes_.resize(size_t(present));
    page_.codes.pick(passed, places_.data(), present, codes_.data());
  }
  int64_t kept = count, kept_present = present;
  if (filter && coded) {
    kept = 0;
    uint32_t outside = 0;
    for (int64_t i = 0; i < present; ++i) outside |= uint32_t(codes_[size_t(i)] >= filter->entries);
    if (outside) throw Corrupt("a code lies outside the dictionary");
    const size_t before = taken_rows_->size();
    taken_rows_->resize(before + size_t(present));
    uint32_t* out = taken_rows_->data() + before;
    for (int64_t i = 0, code = 0; i < count; ++i) {
      if (!present_.empty() && !present_[size_t(i)]) continue;
      const uint32_t c = codes_[size_t(code++)];
      out[kept] = at[i];
      codes_[size_t(kept)] = c;
      kept += filter->accepted[c] != 0;
    }
    taken_rows_->resize(before + size_t(kept));
    kept_present = kept;
    present_.clear();
  } else if (filter) {
    taken_rows_->insert(taken_rows_->end(), at, at + count);
    exact_ = exact_ && count == 0;
  }
  if (taken_validity_)
    for (int64_t i = 0; i < kept; ++i)
      if (present_.empty() || present_[size_t(i)]) set_bit(taken_validity_->data(), taken_ + i);
  if (coded) {
    if (kept) sink_->append_codes(codes_.data(), taken_, kept, kept_present);
  } else {
    sink_->append_picked(page_, taken_, kept, places_.data(), kept_present, passed);
  }
  taken_ += kept;
  taken_nulls_ += kept - kept_present;
}

}  // namespace tableflow::parquet
