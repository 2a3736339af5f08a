#include "zstd_huffman.h"

#include <algorithm>

#include "zstd_bits.h"
#include "zstd_fse.h"

namespace tableflow::zstd {
namespace {

constexpr int kMostWeights = 255;  // the last symbol's follows from the others
constexpr int kWeightLog = 6;

// Weights coded by two states that take turns; gives their number.
int coded_weights(const uint8_t* in, size_t size, uint8_t* weights) {
  Distribution distribution;
  const size_t head = read_distribution(in, in + size, kMostSymbols, kWeightLog, &distribution);
  State states[1 << kWeightLog];
  build_states(distribution, nullptr, states);
  BackwardBits bits(in + head, size - head);
  const auto log = unsigned(distribution.log);
  uint64_t turn[2];
  turn[0] = bits.read(log);
  turn[1] = bits.read(log);
  if (bits.overrun()) corrupt();
  for (int count = 0;; ++count) {
    uint64_t& state = turn[count & 1];
    if (count == kMostWeights) corrupt();
    weights[count] = uint8_t(states[state].value);
    bits.refill();
    state = states[state].next + bits.read(states[state].bits);
    if (!bits.overrun()) continue;
    if (count + 2 > kMostWeights) corrupt();
    weights[count + 1] = uint8_t(states[turn[~count & 1]].value);
    return count + 2;
  }
}

}  // namespace

size_t HuffmanTable::read(const uint8_t* in, const uint8_t* end) {
  if (in >= end) corrupt();
  const size_t head = *in++;
  uint8_t weights[kMostWeights + 1];
  if (head < 128) {
    if (head > size_t(end - in)) corrupt();
    build(weights, coded_weights(in, head, weights));
    return 1 + head;
  }
  const size_t count = head - 127, bytes = (count + 1) / 2;
  if (bytes > size_t(end - in)) corrupt();
  for (size_t i = 0; i < count; ++i) weights[i] = i & 1 ? in[i / 2] & 15 : in[i / 2] >> 4;
  build(weights, int(count));
  return 1 + bytes;
}

void HuffmanTable::build(uint8_t* weights, int count) {
  bits_ = 0;
  uint32_t total = 0, of_weight[kMostBits + 2] = {};
  for (int i = 0; i < count; ++i) {
    if (weights[i] > kMostBits) corrupt();
    ++of_weight[weights[i]];
    total += (1u << weights[i]) >> 1;
  }
  if (total == 0) corrupt();
  const int bits = highest_bit(total) + 1;
  const uint32_t rest = (1u << bits) - total;
  if (bits > kMostBits || (rest & (rest - 1))) corrupt();
  weights[count] = uint8_t(highest_bit(rest) + 1);
  ++of_weight[weights[count]];
  uint32_t start[kMostBits + 2] = {};
  for (int w = 1; w <= kMostBits; ++w) start[w + 1] = start[w] + of_weight[w] * (1u << (w - 1));
  for (int s = 0; s <= count; ++s) {
    const int w = weights[s];
    if (!w) continue;
    const uint32_t codes = 1u << (w - 1);
    std::fill_n(codes_ + start[w], codes, Code{uint8_t(s), uint8_t(bits + 1 - w)});
    start[w] += codes;
  }
  bits_ = unsigned(bits);
}

void HuffmanTable::decode(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) const {
  BackwardBits bits(in, in_size);
  uint8_t* const end = out + size;
  while (out < end) {
    bits.refill();
    for (int i = 0; i < 5 && out < end; ++i) {
      const Code code = codes_[bits.peek(bits_)];
      bits.take(code.bits);
      *out++ = code.symbol;
    }
    if (bits.overrun()) corrupt();
  }
  bits.refill();
  if (!bits.finished()) corrupt();
}

void HuffmanTable::decode_four(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) const {
  if (in_size < 6) corrupt();
  size_t sizes[4];
  for (int i = 0; i < 3; ++i) sizes[i] = size_t(in[2 * i]) | size_t(in[2 * i + 1]) << 8;
  const size_t first = sizes[0] + sizes[1] + sizes[2];
  if (first > in_size - 6) corrupt();
  sizes[3] = in_size - 6 - first;
  const size_t part = (size + 3) / 4;
  if (part * 3 > size) corrupt();
  const uint8_t* const at = in + 6;
  BackwardBits a(at, sizes[0]), b(at + sizes[0], sizes[1]), c(at + sizes[0] + sizes[1], sizes[2]), d(at + first, sizes[3]);
  const size_t ends[4] = {part, part, part, size - part * 3};
  const unsigned n = bits_;
  size_t done = 0;
  const auto next = [this, n](BackwardBits& of, uint8_t* to) {
    const Code code = codes_[of.peek(n)];
    of.take(code.bits);
    *to = code.symbol;
  };
  for (; done + 5 <= ends[3] && a.far() && b.far() && c.far() && d.far(); ) {
    a.refill_fast(), b.refill_fast(), c.refill_fast(), d.refill_fast();
    for (int i = 0; i < 5; ++i, ++done) {
      next(a, out + done), next(b, out + part + done), next(c, out + 2 * part + done), next(d, out + 3 * part + done);
    }
  }
  BackwardBits* const streams[4] = {&a, &b, &c, &d};
  for (int i = 0; i < 4; ++i) {
    BackwardBits& of = *streams[i];
    for (size_t k = done; k < ends[i];) {
      of.refill();
      for (int j = 0; j < 5 && k < ends[i]; ++j, ++k) next(of, out + size_t(i) * part + k);
      if (of.overrun()) corrupt();
    }
    of.refill();
    if (!of.finished()) corrupt();
  }
}

}  // namespace tableflow::zstd
