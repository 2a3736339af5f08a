#include "zstd_sequences.h"

#include <algorithm>
#include <array>

#include "parquet_copy.h"

namespace tableflow::zstd {
namespace {

using parquet::copy_back;
using parquet::copy_wide;

template <size_t N>
constexpr std::array<uint32_t, N> bases(const std::array<uint8_t, N>& extra, uint32_t first) {
  std::array<uint32_t, N> found{};
  for (size_t i = 0; i < N; ++i) {
    found[i] = first;
    first += 1u << extra[i];
  }
  return found;
}

constexpr std::array<uint8_t, 36> kLiteralExtra = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1,
                                                   1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::array<uint8_t, 53> kMatchExtra = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1,
                                                 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::array<uint8_t, 32> kOffsetExtra = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
constexpr auto kLiteralBases = bases(kLiteralExtra, 0);
constexpr auto kMatchBases = bases(kMatchExtra, 3);
constexpr auto kOffsetBases = bases(kOffsetExtra, 1);

const Meaning kMeanings[3] = {{kLiteralBases, kLiteralExtra}, {kOffsetBases, kOffsetExtra}, {kMatchBases, kMatchExtra}};
constexpr int kMostSymbolsOf[3] = {36, 32, 53};
constexpr int kMostLogOf[3] = {9, 8, 9};

constexpr int8_t kLiteralCounts[] = {4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2,
                                     2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1};
constexpr int8_t kOffsetCounts[] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1};
constexpr int8_t kMatchCounts[] = {1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                   1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1};
const std::span<const int8_t> kUsual[3] = {kLiteralCounts, kOffsetCounts, kMatchCounts};
constexpr int kUsualLogOf[3] = {6, 5, 6};

enum Mode { Usual, Single, Compressed, Repeated };

constexpr unsigned kBits = 56;   // that are there after a refill
constexpr unsigned kStates = 26;  // that the next states take at most

}  // namespace

void SequenceDecoder::read_table(Code code, int mode, const uint8_t*& in, const uint8_t* end) {
  Table& table = tables_[code];
  const Meaning& meaning = kMeanings[code];
  Distribution found;
  switch (mode) {
    case Usual:
      found.log = kUsualLogOf[code];
      found.symbols = int(kUsual[code].size());
      std::copy(kUsual[code].begin(), kUsual[code].end(), found.counts.begin());
      break;
    case Single:
      if (in == end || *in >= meaning.values.size()) corrupt();
      table.log = 0;
      table.states[0] = {meaning.values[*in], 0, 0, meaning.extra[*in]};
      ++in;
      return;
    case Compressed: in += read_distribution(in, end, kMostSymbolsOf[code], kMostLogOf[code], &found); break;
    default:
      if (table.log < 0) corrupt();
      return;
  }
  table.log = found.log;
  build_states(found, &meaning, table.states);
}

void SequenceDecoder::run(const uint8_t* in, const uint8_t* end, Literals literals, Output& out) {
  if (in == end) corrupt();
  size_t count = *in++;
  if (count == 255) {
    if (end - in < 2) corrupt();
    count = size_t(in[0]) + (size_t(in[1]) << 8) + 0x7f00;
    in += 2;
  } else if (count >= 128) {
    if (in == end) corrupt();
    count = ((count - 128) << 8) + *in++;
  }
  if (count) {
    if (in == end) corrupt();
    const int modes = *in++;
    if (modes & 3) corrupt();
    read_table(LiteralLength, modes >> 6, in, end);
    read_table(Offset, modes >> 4 & 3, in, end);
    read_table(MatchLength, modes >> 2 & 3, in, end);
    BackwardBits bits(in, size_t(end - in));
    copy_all(bits, count, literals, out);
    return;
  }
  if (in != end) corrupt();
  const auto rest = size_t(literals.end - literals.at);
  if (rest > size_t(out.end - out.at)) corrupt();
  std::memcpy(out.at, literals.at, rest);
  out.at += rest;
}

inline size_t SequenceDecoder::distance(uint32_t value, uint32_t literals) {
  if (value > 3) {
    before_[2] = before_[1];
    before_[1] = before_[0];
    return before_[0] = value - 3;
  }
  const uint32_t which = value - 1 + (literals == 0);  // of those before
  if (which == 0) return before_[0];
  const size_t found = which == 3 ? before_[0] - 1 : before_[which];
  if (which != 1) before_[2] = before_[1];
  before_[1] = before_[0];
  return before_[0] = found;
}

void SequenceDecoder::copy_all(BackwardBits& bits, size_t count, Literals literals, Output& to) {
  const Table &of_literals = tables_[LiteralLength], &of_offset = tables_[Offset], &of_match = tables_[MatchLength];
  uint64_t l = bits.read(unsigned(of_literals.log)), o = bits.read(unsigned(of_offset.log)), m = bits.read(unsigned(of_match.log));
  const uint8_t* from = literals.at;
  uint8_t* out = to.at;
  for (;;) {
    const State literal = of_literals.states[l], offset = of_offset.states[o], match = of_match.states[m];
    const unsigned extra = unsigned(literal.extra) + offset.extra + match.extra;
    const bool many = extra > kBits - kStates;
    bits.refill();
    const auto value = uint32_t(offset.value + bits.read(offset.extra));
    if (many) bits.refill();
    const size_t copied = match.value + bits.read(match.extra);
    const auto length = uint32_t(literal.value + bits.read(literal.extra));
    const size_t back = distance(value, length);
    if (length > size_t(literals.end - from) || length > size_t(to.end - out)) corrupt();
    copy_wide(from, out, length);
    from += length;
    out += length;
    if (back - 1 >= size_t(out - to.begin) || copied > size_t(to.end - out)) corrupt();
    copy_back(out, back, copied);
    out += copied;
    if (--count == 0) break;
    if (many) bits.refill();
    l = literal.next + bits.read(literal.bits);
    m = match.next + bits.read(match.bits);
    o = offset.next + bits.read(offset.bits);
    if (bits.overrun()) corrupt();
  }
  bits.refill();
  if (!bits.finished()) corrupt();
  const auto rest = size_t(literals.end - from);
  if (rest > size_t(to.end - out)) corrupt();
  std::memcpy(out, from, rest);
  to.at = out + rest;
}

}  // namespace tableflow::zstd
