// Huffman coded literals of Zstandard (RFC 8878, section 4.2).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tableflow::zstd {

class HuffmanTable {
 public:
  bool known() const { return bits_ != 0; }
  // Reads the description of a tree; gives the bytes it takes.
  size_t read(const uint8_t* in, const uint8_t* end);
  // Decodes exactly `size` literals of one stream.
  void decode(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) const;
  // Of four streams side by side, each with its quarter of the literals.
  void decode_four(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) const;

 private:
  static constexpr int kMostBits = 11;
  struct Code {
    uint8_t symbol;
    uint8_t bits;
  };

  void build(uint8_t* weights, int count);

  unsigned bits_ = 0;  // of the longest code
  Code codes_[1 << kMostBits];
};

}  // namespace tableflow::zstd
