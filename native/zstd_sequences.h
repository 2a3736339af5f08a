// Sequences of Zstandard: so many literals, then a copy of what came before (RFC 8878, section 3.1.1.3.2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "zstd_fse.h"

namespace tableflow::zstd {

struct Literals {
  const uint8_t* at;  // with 16 readable bytes behind the end
  const uint8_t* end;
};

// Where a frame's bytes go.  16 bytes behind the end are writable.
struct Output {
  uint8_t* begin;
  uint8_t* at;
  uint8_t* end;
};

class SequenceDecoder {
 public:
  // One block's sequences: their section of the block, with all literals of the block.
  void run(const uint8_t* in, const uint8_t* end, Literals literals, Output& out);

 private:
  static constexpr int kMostLog = 9;

  // States of one of the three codes; tables stay for the next block, which may use them again.
  struct Table {
    int log = -1;  // none yet
    State states[1 << kMostLog];
  };
  enum Code { LiteralLength, Offset, MatchLength };

  void read_table(Code code, int mode, const uint8_t*& in, const uint8_t* end);
  void copy_all(BackwardBits& bits, size_t count, Literals literals, Output& out);
  size_t distance(uint32_t code_value, uint32_t literals);

  Table tables_[3];
  size_t before_[3] = {1, 4, 8};
};

}  // namespace tableflow::zstd
