#include "group_order.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "group_selected.h"
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace tableflow {

namespace {

constexpr uint8_t nowhere = UINT8_MAX;
constexpr int block = 16;  // lanes compared at once

#if defined(__x86_64__)
constexpr int64_t compared_groups = 8;  // so few are looked for one after the other

struct Places {
  std::array<std::array<uint16_t, 8>, 256> of{};  // the bits that are set, ascending
  std::array<uint8_t, 256> count{};
};

constexpr Places places = [] {
  Places made;
  for (unsigned mask = 0; mask < 256; ++mask)
    for (uint16_t at = 0; at < 8; ++at)
      if (mask >> at & 1) made.of[mask][made.count[mask]++] = at;
  return made;
}();

// Writes eight lanes, of which those in the mask count.
inline uint32_t* put(uint32_t* out, unsigned mask, int first) {
  const __m128i zero = _mm_setzero_si128();
  const __m128i some = _mm_add_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(places.of[mask].data())), _mm_set1_epi16(short(first)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_unpacklo_epi16(some, zero));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 4), _mm_unpackhi_epi16(some, zero));
  return out + places.count[mask];
}

// One pass for each group.
uint32_t* by_comparing(const uint8_t* groups, int n, uint8_t group, uint32_t* out) {
  const __m128i wanted = _mm_set1_epi8(char(group));
  for (int i = 0; i < n; i += block) {
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(groups + i));
    const auto mask = unsigned(_mm_movemask_epi8(_mm_cmpeq_epi8(here, wanted)));
    out = put(out, mask & 255, i);
    out = put(out, mask >> 8, i + 8);
  }
  return out;
}
#else
constexpr int64_t compared_groups = 0;
uint32_t* by_comparing(const uint8_t*, int, uint8_t, uint32_t* out) { return out; }
#endif

// Counting sort of four quarters at once, so that lanes of one group need not wait for each other.
void by_counting(const uint8_t* groups, int n, int64_t count, uint32_t* lanes, std::vector<Run>& runs) {
  constexpr int quarters = 4;
  uint32_t ends[quarters][nowhere + 1] = {};
  const int each = n / quarters;
  const auto every = [&](auto visit) {
    for (int i = 0; i < each; ++i)
      for (int q = 0; q < quarters; ++q) visit(q, q * each + i);
    for (int i = quarters * each; i < n; ++i) visit(quarters - 1, i);
  };
  every([&](int q, int i) { ++ends[q][groups[i]]; });
  uint32_t at = 0;
  for (int64_t g = 0; g <= count; ++g) {  // what is in no group goes last
    const auto group = g < count ? uint32_t(g) : uint32_t(nowhere);
    const uint32_t begin = at;
    for (auto& quarter : ends) {
      const uint32_t rows = quarter[group];
      quarter[group] = at;
      at += rows;
    }
    if (g < count && at > begin) runs.push_back({group, int(begin), int(at)});
  }
  every([&](int q, int i) { lanes[ends[q][groups[i]]++] = uint32_t(i); });
}

}  // namespace

int order_lanes(const uint32_t* groups, int n, int64_t count, uint32_t* lanes, std::vector<Run>& runs) {
  static_assert(clustered_groups < nowhere);
  uint8_t bytes[piece_rows + block];
  for (int i = 0; i < n; ++i) bytes[i] = uint8_t(groups[i]);
  runs.clear();
  if (count > compared_groups) {
    by_counting(bytes, n, count, lanes, runs);
  } else {
    std::fill_n(bytes + n, block, nowhere);
    uint32_t* out = lanes;
    for (int64_t g = 0; g < count; ++g) {
      const auto begin = int(out - lanes);
      out = by_comparing(bytes, n, uint8_t(g), out);
      if (out - lanes > begin) runs.push_back({uint32_t(g), begin, int(out - lanes)});
    }
  }
  return runs.empty() ? 0 : runs.back().end;
}

// All rows of the piece, by group when there are few groups and all count once, else as they come.
void GroupTable::order_by_group(const Piece& piece, bool some_left_out) {
  begin_piece();
  Selected& all = next_selected();
  const int n = piece.n;
  all.clustered = groups_ <= clustered_groups && n > 64 && !weights_;
  if (all.clustered && (groups_ > 1 || some_left_out)) {
    all.n = order_lanes(group_of_.data(), n, groups_, all.lanes.data(), all.runs);
    for (const Run& run : all.runs) std::fill(all.groups.begin() + run.begin, all.groups.begin() + run.end, run.group);
    return;
  }
  if (some_left_out) {
    all.n = 0;
    for (int i = 0; i < n; ++i) {
      all.lanes[size_t(all.n)] = uint32_t(i);
      all.groups[size_t(all.n)] = group_of_[size_t(i)];
      all.n += group_of_[size_t(i)] != KeyIndex::left_out;
    }
    return;
  }
  all.n = n;
  std::iota(all.lanes.begin(), all.lanes.begin() + n, 0u);
  std::copy_n(group_of_.begin(), n, all.groups.begin());
  if (all.clustered) all.runs.assign(1, Run{0, 0, n});
  if (!weights_) return;
  all.weights.resize(piece_rows);
  for (int i = 0; i < n; ++i) all.weights[size_t(i)] = weights_[piece.rows ? int64_t(piece.rows[i]) : piece.base + piece.first + i];
}

bool GroupTable::update_lanes(std::span<const Input> keys, std::span<const Input> arguments, const Piece& piece,
                              std::span<const uint16_t> lanes) {
  const int64_t before = groups_;
  if (!index_->find_among(keys, piece, lanes, group_of_.data())) return false;
  resize(index_->size());
  if (slots_.empty()) return true;
  order_by_group(piece, int(lanes.size()) < piece.n);
  update_slots(arguments, piece, before);
  return true;
}

}  // namespace tableflow
