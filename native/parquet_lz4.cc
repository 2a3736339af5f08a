#include "parquet_lz4.h"

#include <cstring>

#include "parquet_copy.h"
#include "parquet_page.h"

namespace tableflow::parquet {
namespace {

[[noreturn]] void corrupt() { throw Corrupt("a page's LZ4 data is damaged"); }

// The rest of a length whose four bits are full.
size_t longer(const uint8_t*& in, const uint8_t* end) {
  size_t length = 0;
  for (;;) {
    if (in == end) corrupt();
    const uint8_t more = *in++;
    length += more;
    if (more != 255) return length;
  }
}

}  // namespace

void lz4_decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) {
  const uint8_t* const end = in + in_size;
  uint8_t* const begin = out;
  uint8_t* const out_end = out + size;
  while (in < end) {
    const uint8_t token = *in++;
    size_t length = token >> 4;
    if (length == 15) length += longer(in, end);
    if (length > size_t(end - in) || length > size_t(out_end - out)) corrupt();
    if (length <= 64) copy_wide(in, out, length);
    else std::memcpy(out, in, length);
    in += length;
    out += length;
    if (in == end) break;  // the last sequence has no copy
    if (end - in < 2) corrupt();
    const size_t offset = size_t(in[0]) | size_t(in[1]) << 8;
    in += 2;
    length = (token & 15) + 4;
    if (length == 19) length += longer(in, end);
    if (offset == 0 || offset > size_t(out - begin) || length > size_t(out_end - out)) corrupt();
    copy_back(out, offset, length);
    out += length;
  }
  if (out != out_end) corrupt();
}

}  // namespace tableflow::parquet
