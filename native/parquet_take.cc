// Rows of a column chunk by their places: what is not asked for is passed over as cheaply as its encoding allows.
#include <algorithm>
#include <numeric>

#include "parquet_column.h"

namespace tableflow::parquet {

namespace {

struct CodeCopy {
  uint32_t* out;
  void run(uint32_t code, int64_t n) {
    std::fill_n(out, n, code);
    out += n;
  }
  void values(const uint32_t* codes, int64_t n) {
    std::memcpy(out, codes, size_t(n) * 4);
    out += n;
  }
};

// Keeps the accepted ones of codes that follow each other: a run takes one look, and what is packed does not leave the cache before it is looked at.
struct CodeFilter {
  const AcceptedEntries& accepted;
  uint32_t place;   // of the next code
  uint32_t* places;  // of those that are kept; one more is written
  uint32_t* codes;
  int64_t kept = 0;

  void run(uint32_t code, int64_t n) {
    if (accepted.accepts(code)) {
      std::iota(places + kept, places + kept + n, place);
      std::fill_n(codes + kept, n, code);
      kept += n;
    }
    place += uint32_t(n);
  }
  void values(const uint32_t* from, int64_t n) {
    kept += accepted.filter(from, n, place, places + kept, codes + kept);
    place += uint32_t(n);
  }
};

// Without a way out of the loop, so that several places are compared at once.
bool ascends(const uint32_t* at, int64_t count, int64_t rows) {
  uint32_t back = 0;
  for (int64_t i = 1; i < count; ++i) back |= uint32_t(at[i] <= at[i - 1]);
  return !back && at[count - 1] < rows;
}

}  // namespace

VectorPtr ColumnChunkReader::read_at(int64_t rows, const uint32_t* at, int64_t count) {
  return take(rows, Places{at, count}, nullptr).vector;
}

Matching ColumnChunkReader::read_matching(int64_t rows, const uint32_t* at, int64_t count, const uint8_t* accepted,
                                          int64_t entries) {
  const AcceptedEntries filter(accepted, uint32_t(std::clamp<int64_t>(entries, 0, UINT32_MAX)));
  return take(rows, count < 0 ? Places{nullptr, rows} : Places{at, count}, &filter);
}

Matching ColumnChunkReader::take(int64_t rows, Places places, const AcceptedEntries* filter) {
  if (rows < 0 || rows > left_) throw std::out_of_range("more rows than the column chunk has left");
  const uint32_t* at = places.at;
  const int64_t count = places.count;
  if (at && count && !ascends(at, count, rows)) throw std::invalid_argument("places that do not ascend");
  Matching result;
  taken_validity_ = nullptr;
  if (chunk_.optional) {
    taken_validity_ = std::make_shared<Buffer>(size_t(count + 7) / 8);
    std::memset(taken_validity_->data(), 0, taken_validity_->size());
  }
  taken_ = taken_nulls_ = 0;
  exact_ = true;
  // The places are few in the end: room for all of them is kept from call to call, and never cleared.
  if (filter && (!kept_ || kept_->size() < size_t(count + 1) * 4)) kept_ = std::make_shared<Buffer>(size_t(count + 1) * 4);
  sink_->begin(count, taken_validity_ ? taken_validity_->data() : nullptr);
  int64_t next = 0;
  for (int64_t row = 0; row < rows;) {
    if (page_.left == 0) {
      const int64_t wanted = next == count ? rows : at ? int64_t(at[next]) : row;
      const int64_t passed = next_page(wanted - row);
      left_ -= passed;
      row += passed;
      continue;
    }
    const int64_t n = std::min(rows - row, page_.left);
    int64_t to = next;
    if (at) to = std::lower_bound(at + next, at + count, row + n) - at;
    else if (count) to += n;
    take_from_page(row, n, next, Places{at ? at + next : nullptr, to - next}, filter);
    next = to;
    page_.left -= n;
    left_ -= n;
    row += n;
  }
  if (filter) result.kept.assign(kept_->as<uint32_t>(), kept_->as<uint32_t>() + taken_);
  result.vector = sink_->finish(taken_, taken_nulls_ ? std::move(taken_validity_) : nullptr, taken_nulls_);
  result.exact = exact_;
  return result;
}

int64_t ColumnChunkReader::rank_places(int64_t row, int64_t n, Places of, int64_t* passed) {
  *passed = n;
  all_present_ = true;
  const int64_t count = of.count;
  if (chunk_.optional) {
    levels_.assign(size_t(n + 7) / 8 + 64, 0);
    *passed = read_levels(levels_.data(), 0, n);
    all_present_ = *passed == n;
  }
  if (all_present_ && !of.at) return count;  // all of them, in order
  places_.resize(size_t(count));
  if (all_present_) {
    for (int64_t i = 0; i < count; ++i) places_[size_t(i)] = uint32_t(of.at[i] - row);
    return count;
  }
  present_.resize(size_t(count));
  int64_t present = 0, seen = 0, rank = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = of.at ? int64_t(of.at[i]) - row : i;
    rank += place - seen - count_nulls(levels_.data(), seen, place - seen);
    seen = place;
    present_[size_t(i)] = bit(levels_.data(), place);
    places_[size_t(present)] = uint32_t(rank);
    present += present_[size_t(i)];
  }
  return present;
}

int64_t ColumnChunkReader::filter_codes(int64_t first, int64_t count, const AcceptedEntries& filter) {
  uint32_t* out = kept_->as<uint32_t>() + taken_;
  uint32_t* codes = codes_.data();
  if (all_present_) return filter.filter(codes, count, uint32_t(first), out, codes);
  int64_t kept = 0;
  for (int64_t i = 0, next = 0; i < count; ++i) {
    if (!present_[size_t(i)]) continue;
    const uint32_t code = codes[next++];
    out[kept] = uint32_t(first + i);
    codes[kept] = code;
    kept += filter.accepts(code);
  }
  return kept;
}

void ColumnChunkReader::take_from_page(int64_t row, int64_t n, int64_t first, Places of, const AcceptedEntries* filter) {
  int64_t passed = 0;
  const int64_t present = rank_places(row, n, of, &passed);
  const bool coded = page_.encoding == Encoding::RleDictionary;
  const bool whole = all_present_ && !of.at && of.count;
  int64_t kept = of.count, kept_present = present;
  if (coded) {
    codes_.resize(size_t(present) + 1);
    if (whole && !filter) page_.codes.read(passed, CodeCopy{codes_.data()});
    else if (!whole) page_.codes.pick(passed, places_.data(), present, codes_.data());
  }
  if (filter && coded && whole) {
    CodeFilter sink{*filter, uint32_t(first), kept_->as<uint32_t>() + taken_, codes_.data()};
    page_.codes.read(passed, sink);
    kept = kept_present = sink.kept;
  } else if (filter && coded) {
    kept = kept_present = filter_codes(first, of.count, *filter);
  } else if (filter) {
    for (int64_t i = 0; i < of.count; ++i) kept_->as<uint32_t>()[taken_ + i] = uint32_t(first + i);
    exact_ = exact_ && of.count == 0;
  }
  if (taken_validity_)
    for (int64_t i = 0; i < kept; ++i)
      if (all_present_ || kept_present == kept || present_[size_t(i)]) set_bit(taken_validity_->data(), taken_ + i);
  if (coded) {
    if (kept) sink_->append_codes(codes_.data(), taken_, kept, kept_present);
  } else if (whole) {
    sink_->append(page_, taken_, kept, passed);
  } else {
    sink_->append_picked(page_, taken_, kept, places_.data(), kept_present, passed);
  }
  taken_ += kept;
  taken_nulls_ += kept - kept_present;
}

}  // namespace tableflow::parquet
