#include "zstd_fse.h"

#include "parquet_page.h"

namespace tableflow::zstd {

void corrupt() { throw parquet::Corrupt("a page's zstd data is damaged"); }

namespace {

// Bits from the first byte on, the lowest first.
class ForwardBits {
 public:
  ForwardBits(const uint8_t* data, const uint8_t* end) : data_(data), bits_(size_t(end - data) * 8) {}

  uint32_t read(size_t n) {
    if (n > bits_ - at_) corrupt();
    uint32_t value = 0;
    for (size_t i = 0; i < n; ++i) value |= uint32_t(data_[(at_ + i) >> 3] >> ((at_ + i) & 7) & 1) << i;
    at_ += n;
    return value;
  }
  size_t bytes() const { return (at_ + 7) / 8; }

 private:
  const uint8_t* data_;
  size_t bits_;
  size_t at_ = 0;
};

}  // namespace

size_t read_distribution(const uint8_t* in, const uint8_t* end, int most, int most_log, Distribution* out) {
  if (in >= end) corrupt();
  ForwardBits bits(in, end);
  out->log = int(bits.read(4)) + 5;
  if (out->log > most_log) corrupt();
  int left = 1 << out->log, symbol = 0;
  while (left > 0) {
    if (symbol >= most) corrupt();
    // A count of at most left + 1 values; the smaller of them take a bit less.
    const int width = highest_bit(uint32_t(left) + 1) + 1;
    const int half = 1 << (width - 1), spare = 2 * half - 1 - (left + 1);
    int value = int(bits.read(size_t(width) - 1));
    if (value >= spare && bits.read(1)) value += half - spare;
    const int count = value - 1;
    left -= count < 0 ? 1 : count;
    out->counts[size_t(symbol++)] = int16_t(count);
    if (count) continue;
    for (uint32_t more = 3; more == 3;) {
      more = bits.read(2);
      if (symbol + int(more) > most) corrupt();
      for (uint32_t i = 0; i < more; ++i) out->counts[size_t(symbol++)] = 0;
    }
  }
  if (left != 0) corrupt();
  out->symbols = symbol;
  return bits.bytes();
}

void build_states(const Distribution& of, const Meaning* meaning, State* states) {
  const uint32_t size = 1u << of.log, mask = size - 1;
  std::array<uint16_t, kMostSymbols> next;
  std::array<uint8_t, 512> symbols;  // of each state
  if (size > symbols.size()) corrupt();
  uint32_t high = size;
  for (int s = 0; s < of.symbols; ++s)
    if (of.counts[size_t(s)] < 0) {
      symbols[--high] = uint8_t(s);
      next[size_t(s)] = 1;
    }
  const uint32_t step = (size >> 1) + (size >> 3) + 3;
  uint32_t place = 0;
  for (int s = 0; s < of.symbols; ++s) {
    const int count = of.counts[size_t(s)];
    if (count <= 0) continue;
    next[size_t(s)] = uint16_t(count);
    for (int i = 0; i < count; ++i) {
      symbols[place] = uint8_t(s);
      do place = (place + step) & mask;
      while (place >= high);
    }
  }
  if (place != 0) corrupt();
  for (uint32_t i = 0; i < size; ++i) {
    const uint8_t s = symbols[i];
    if (meaning && s >= meaning->values.size()) corrupt();
    const uint32_t n = next[s]++;
    const int bits = of.log - highest_bit(n);
    states[i] = {meaning ? meaning->values[s] : s, uint16_t((n << bits) - size), uint8_t(bits),
                 meaning ? meaning->extra[s] : uint8_t(0)};
  }
}

}  // namespace tableflow::zstd
