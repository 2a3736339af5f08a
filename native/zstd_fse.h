// Tables of finite state entropy, Zstandard's coder for sequences and weights (RFC 8878, section 4.1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "zstd_bits.h"

namespace tableflow::zstd {

constexpr int kMostSymbols = 256;

// How often each symbol comes in a table of 2^log states; -1: less than once.
struct Distribution {
  std::array<int16_t, kMostSymbols> counts;
  int symbols = 0;
  int log = 0;
};

// A state: what it stands for, and how the next one follows.
struct State {
  uint32_t value;  // of the symbol, before extra bits are added
  uint16_t next;
  uint8_t bits;
  uint8_t extra;
};

// What symbols mean; without it they stand for themselves.
struct Meaning {
  std::span<const uint32_t> values;
  std::span<const uint8_t> extra;
};

// Reads a distribution of at most `most` symbols; gives the bytes it takes.
size_t read_distribution(const uint8_t* in, const uint8_t* end, int most, int most_log, Distribution* out);

// Fills 2^log states; throws where a symbol has no meaning.
void build_states(const Distribution& of, const Meaning* meaning, State* states);

}  // namespace tableflow::zstd
