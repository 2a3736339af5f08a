#include "parquet_snappy.h"

#include <array>
#include <cstring>

#include "parquet_page.h"

namespace tableflow::parquet {
namespace {

[[noreturn]] void corrupt() { throw Corrupt("a page's snappy data is damaged"); }

// Copies 16 bytes at a time and may write up to 15 bytes too many.
inline void copy_wide(const uint8_t* from, uint8_t* to, size_t bytes) {
  for (size_t done = 0; done < bytes; done += 16) std::memcpy(to + done, from + done, 16);
}

// Copies from `offset` bytes back, where source and destination may overlap.
inline void copy_back(uint8_t* to, size_t offset, size_t bytes) {
  const uint8_t* from = to - offset;
  if (offset >= 16) return copy_wide(from, to, bytes);
  if (offset >= 8) {
    for (size_t done = 0; done < bytes; done += 8) std::memcpy(to + done, from + done, 8);
    return;
  }
  for (size_t i = 0; i < bytes; ++i) to[i] = from[i];
}

// By tag: length in the low byte, bytes of a copy's offset behind the tag in bits 8 to 10, upper offset bits from bit 11.
// A literal has no offset bytes; one of more than 16 bytes and a copy with four are left to the careful loop (0).
constexpr std::array<uint16_t, 256> make_table() {
  std::array<uint16_t, 256> table{};
  for (unsigned tag = 0; tag < 256; ++tag) {
    const unsigned length = (tag >> 2) + 1;
    switch (tag & 3) {
      case 0: table[tag] = uint16_t(length <= 16 ? length : 0); break;
      case 1: table[tag] = uint16_t((((tag >> 2) & 7) + 4) | 1 << 8 | (tag >> 5) << 11); break;
      case 2: table[tag] = uint16_t(length | 2 << 8); break;
      default: table[tag] = 0;
    }
  }
  return table;
}
constexpr auto kTags = make_table();

// Whole elements while at least kSlack bytes are left on both sides, so that only offsets need a check.
constexpr ptrdiff_t kSlack = 96;

inline void copy_8(const uint8_t* from, uint8_t* to) {
  uint64_t word;
  std::memcpy(&word, from, 8);
  std::memcpy(to, &word, 8);
}

void decompress_fast(const uint8_t*& in_ref, const uint8_t* end, uint8_t*& out_ref, const uint8_t* begin, const uint8_t* out_end) {
  const uint8_t* in = in_ref;
  uint8_t* out = out_ref;
  while (end - in >= kSlack && out_end - out >= kSlack) {
    const unsigned entry = kTags[*in];
    if (entry == 0) break;
    const size_t length = entry & 0xff;
    const size_t extra = (entry >> 8) & 7;
    uint32_t trailer;
    std::memcpy(&trailer, in + 1, 4);
    const size_t offset = size_t(entry >> 11) << 8 | (trailer & ((1u << (8 * extra)) - 1));
    const bool literal = extra == 0;
    // One path for both, which the branch predictor cannot get wrong.
    const uint8_t* from = literal ? in + 1 : out - offset;
    in += 1 + (literal ? length : extra);
    if (!literal && (offset - 1 >= size_t(out - begin) || offset < 8)) {
      if (offset == 0 || offset > size_t(out - begin)) corrupt();
      for (size_t i = 0; i < length; ++i) out[i] = from[i];
      out += length;
      continue;
    }
    copy_8(from, out);
    copy_8(from + 8, out + 8);
    if (length > 16)
      for (size_t done = 16; done < length; done += 8) copy_8(from + done, out + done);
    out += length;
  }
  in_ref = in;
  out_ref = out;
}

}  // namespace

void snappy_decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) {
  const uint8_t* const end = in + in_size;
  uint64_t stated = 0;
  for (int shift = 0;; shift += 7) {
    if (in == end || shift > 28) corrupt();
    stated |= uint64_t(*in & 0x7f) << shift;
    if (*in++ < 0x80) break;
  }
  if (stated != size) corrupt();
  uint8_t* const begin = out;
  uint8_t* const out_end = out + size;
  while (in < end) {
    decompress_fast(in, end, out, begin, out_end);
    const uint8_t tag = *in++;
    if ((tag & 3) == 0) {  // literal
      size_t length = (tag >> 2) + 1;
      if (length > 60) {
        const size_t extra = length - 60;
        if (size_t(end - in) < extra) corrupt();
        uint32_t value = 0;
        std::memcpy(&value, in, extra);
        in += extra;
        length = size_t(value) + 1;
      }
      if (length > size_t(end - in) || length > size_t(out_end - out)) corrupt();
      if (length <= 64) copy_wide(in, out, length);
      else std::memcpy(out, in, length);
      in += length;
      out += length;
      continue;
    }
    size_t length, offset;
    if ((tag & 3) == 1) {
      if (end - in < 1) corrupt();
      length = ((tag >> 2) & 7) + 4;
      offset = size_t(tag >> 5) << 8 | in[0];
      in += 1;
    } else {
      const size_t bytes = (tag & 3) == 2 ? 2 : 4;
      if (size_t(end - in) < bytes) corrupt();
      uint32_t value = 0;
      std::memcpy(&value, in, bytes);
      in += bytes;
      length = (tag >> 2) + 1;
      offset = value;
    }
    if (offset == 0 || offset > size_t(out - begin) || length > size_t(out_end - out)) corrupt();
    copy_back(out, offset, length);
    out += length;
  }
  if (out != out_end) corrupt();
}

}  // namespace tableflow::parquet
