// The encodings of Parquet that store differences or scattered bytes, rewritten page by page as PLAIN.
//
// The bytes are untrusted: counts and lengths are checked before memory is asked for, and a page that would become larger
// than the largest page is refused.
#pragma once

#include <cstdint>

#include "parquet_page.h"
#include "vector.h"

namespace tableflow::parquet {

// The largest page that is decoded here, before and after.
constexpr int64_t kLargestPage = 256 << 20;

// How values are stored: bytes of a fixed width, or (0) each with its length in front.
struct PlainPage {
  BufferPtr bytes;
  int64_t size = 0;
};

// Whether `to_plain` knows the encoding.
bool rewrites(Encoding encoding);

// The values in [in, end) as PLAIN.  `width` is that of a stored value, 0 for BYTE_ARRAY; `most` values may be there at
// most.  `in` must lie in a padded buffer.  Throws Corrupt or Unsupported.
PlainPage to_plain(Encoding encoding, bool integers, int width, const uint8_t* in, const uint8_t* end, int64_t most);

}  // namespace tableflow::parquet
