#include "parquet_snappy.h"

#include <array>
#include <cstring>

#include "parquet_copy.h"
#include "parquet_page.h"

namespace tableflow::parquet {
namespace {

[[noreturn]] void corrupt() { throw Corrupt("a page's snappy data is damaged"); }

// Of a copy, by its tag: length, upper eight bits of the offset from bit 8, bytes of the offset from bit 16.
constexpr std::array<uint32_t, 256> make_copies() {
  std::array<uint32_t, 256> table{};
  for (uint32_t tag = 0; tag < 256; ++tag) {
    if ((tag & 3) == 1) table[tag] = (((tag >> 2) & 7) + 4) | (tag >> 5) << 8 | 1u << 16;
    if ((tag & 3) == 2) table[tag] = ((tag >> 2) + 1) | 2u << 16;
  }
  return table;
}
constexpr auto kCopies = make_copies();

// Whole elements while at least kSlack bytes are left on both sides, so that only offsets need a check.
constexpr ptrdiff_t kSlack = 96;

inline void copy_8(const uint8_t* from, uint8_t* to) {
  uint64_t word;
  std::memcpy(&word, from, 8);
  std::memcpy(to, &word, 8);
}

inline void copy_16(const uint8_t* from, uint8_t* to) { std::memcpy(to, from, 16); }

void decompress_fast(const uint8_t*& in_ref, const uint8_t* end, uint8_t*& out_ref, const uint8_t* begin, const uint8_t* out_end) {
  const uint8_t* in = in_ref;
  uint8_t* out = out_ref;
  // One branch per kind of element: the predictor learns their order, which beats computing all kinds alike by far.
  while (end - in >= kSlack && out_end - out >= kSlack) {
    const unsigned tag = *in;
    size_t length, offset;
    if ((tag & 3) == 0) {
      length = (tag >> 2) + 1;
      if (length > 60) break;
      copy_16(in + 1, out);
      copy_16(in + 17, out + 16);
      if (length > 32)
        for (size_t done = 32; done < length; done += 16) copy_16(in + 1 + done, out + done);
      in += 1 + length;
      out += length;
      continue;
    }
    if ((tag & 3) == 3) break;
    // Both kinds of copies without a branch: whether an offset has one byte or two is the data's chance.
    const unsigned entry = kCopies[tag];
    uint16_t trailer;
    std::memcpy(&trailer, in + 1, 2);
    const unsigned bytes = entry >> 16;
    length = entry & 0xff;
    offset = ((entry >> 8) & 0xff) << 8 | (trailer & (0xffffu >> (8 * (2 - bytes))));
    in += 1 + bytes;
    if (offset == 0 || offset > size_t(out - begin)) corrupt();
    const uint8_t* from = out - offset;
    if (offset >= 16) {
      copy_16(from, out);
      copy_16(from + 16, out + 16);
      if (length > 32)
        for (size_t done = 32; done < length; done += 16) copy_16(from + done, out + done);
    } else if (offset >= 8) {
      copy_8(from, out);
      copy_8(from + 8, out + 8);
      if (length > 16)
        for (size_t done = 16; done < length; done += 8) copy_8(from + done, out + done);
    } else {
      for (size_t i = 0; i < length; ++i) out[i] = from[i];
    }
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
