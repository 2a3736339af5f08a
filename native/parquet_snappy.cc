#include "parquet_snappy.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "parquet_copy.h"
#include "parquet_page.h"

namespace tableflow::parquet {
namespace {

[[noreturn]] void corrupt() { throw Corrupt("a page's snappy data is damaged"); }

// Of a copy, by its tag: length, and from bit 8 the upper bits of the offset.
constexpr std::array<uint16_t, 256> make_copies() {
  std::array<uint16_t, 256> table{};
  for (uint32_t tag = 0; tag < 256; ++tag) {
    if ((tag & 3) == 1) table[tag] = uint16_t((((tag >> 2) & 7) + 4) | (tag >> 5) << 8);
    if ((tag & 3) == 2) table[tag] = uint16_t((tag >> 2) + 1);
  }
  return table;
}
constexpr auto kCopies = make_copies();

// Whole elements while at least kSlack bytes are left on both sides, so that only offsets need a check.
constexpr ptrdiff_t kSlack = 96;

inline uint64_t load_8(const uint8_t* from) {
  uint64_t word;
  std::memcpy(&word, from, 8);
  return word;
}

inline void copy_16(const uint8_t* from, uint8_t* to) { std::memcpy(to, from, 16); }

// A copy that is long or near.
inline void copy_far(const uint8_t* from, uint8_t* to, size_t offset, size_t length) {
  if (length - 4 <= 4 && offset >= length) {
    // What was just written is had from the store buffer only by loads that lie in one store.
    uint32_t low, high;
    std::memcpy(&low, from, 4);
    std::memcpy(&high, from + length - 4, 4);
    const uint64_t both = low | uint64_t(high) << (8 * (length - 4));
    std::memcpy(to, &both, 8);
  } else if (offset >= 16) {
    for (size_t done = 0; done < length; done += 16) copy_16(from + done, to + done);
  } else if (offset >= 8) {
    for (size_t done = 0; done < length; done += 8) std::memcpy(to + done, from + done, 8);
  } else {
    for (size_t i = 0; i < length; ++i) to[i] = from[i];
  }
}

// How far a page has been decompressed.
struct Cursor {
  const uint8_t* in;
  const uint8_t* end;
  uint8_t* out;
  uint8_t* begin;
  uint8_t* out_end;
};

// The loops stay functions of their own, so that neither costs the other registers.
[[gnu::noinline]] void decompress_fast(Cursor& cursor, const uint8_t* until) {
  const uint8_t* in = cursor.in;
  uint8_t* out = cursor.out;
  const uint8_t* const begin = cursor.begin;
  if (cursor.end - in < kSlack || cursor.out_end - out < kSlack) return;
  const uint8_t* const last_in = cursor.end - kSlack;
  const uint8_t* const last_out = std::min<const uint8_t*>(cursor.out_end - kSlack, until);
  // What takes time is to find the next tag: eight bytes at once hold a short literal and the copy behind it.
  uint64_t word = load_8(in);
  while (in <= last_in && out <= last_out) {
    if ((word & 3) == 0) {
      const size_t more = (word >> 2) & 63;
      if (more > 3) {
        const size_t length = more + 1;
        if (length > 60) break;
        copy_16(in + 1, out);
        if (length > 16) {
          copy_16(in + 17, out + 16);
          if (length > 32)
            for (size_t done = 32; done < length; done += 16) copy_16(in + 1 + done, out + done);
        }
        in += 1 + length;
        out += length;
        word = load_8(in);
        continue;
      }
      const uint64_t literal = word >> 8;
      std::memcpy(out, &literal, 8);
      word = (word >> 16) >> ((word * 2) & 63);
      in += 2 + more;
      out += 1 + more;
      if ((word & 3) == 0) {
        word = load_8(in);
        continue;
      }
    }
    const size_t kind = word & 3;
    if (kind == 3) break;
    in += 1 + kind;
    const uint64_t next = load_8(in);
    const unsigned entry = kCopies[word & 0xff];
    const size_t length = entry & 0xff;
    const size_t offset = (entry & 0xff00) | ((word >> 8) & (0xffffu >> (16 - 8 * kind)));
    word = next;
    if (offset - 1 >= size_t(out - begin)) corrupt();
    const uint8_t* from = out - offset;
    if (__builtin_expect(length <= 16 && offset >= 16, 1)) copy_16(from, out);
    else copy_far(from, out, offset, length);
    out += length;
  }
  cursor.in = in;
  cursor.out = out;
}

// By the tag of an element: its length minus the upper bits of a copy's offset, of which the last byte is the length.  A literal is as if from 256 bytes
// back, so that it never overlaps what it makes; what is not done by decompress_unforeseen does always.
constexpr std::array<int16_t, 256> make_elements() {
  std::array<int16_t, 256> table{};
  for (int tag = 0; tag < 256; ++tag) {
    const int kind = tag & 3, upper = tag >> 2;
    if (kind == 0) table[size_t(tag)] = int16_t(upper < 60 ? upper + 1 - 256 : 255);
    if (kind == 1) table[size_t(tag)] = int16_t((upper & 7) + 4 - (tag >> 5) * 256);
    if (kind == 2) table[size_t(tag)] = int16_t(upper + 1);
    if (kind == 3) table[size_t(tag)] = 255;
  }
  return table;
}
constexpr auto kElements = make_elements();
// By kind: which bytes behind the tag are the offset.
constexpr uint32_t kOffsets[4] = {0, 0xff, 0xffff, 0};

// The first if the condition holds.  Compilers make a branch of it, which is mispredicted as often as a literal or copy comes unexpectedly.
inline const uint8_t* choose(size_t condition, const uint8_t* first, const uint8_t* second) {
#if defined(__x86_64__)
  asm("testq %1, %1\n\tcmovzq %2, %0" : "+r"(first) : "r"(condition), "r"(second) : "cc");
  return first;
#else
  return condition ? first : second;
#endif
}

// Of many texts it is as good as random which element comes next.  Here nothing that is likely depends on a branch: literals and copies take one
// way, and 32 bytes are copied whatever the length.  Then the time is that of finding one tag after the other, so long as there is little to do
// beside it.  Where elements repeat, as those of numbers do, a processor foresees them and is faster above.
[[gnu::noinline]] void decompress_unforeseen(Cursor& cursor, const uint8_t* until) {
  uint8_t* out = cursor.out;
  const uint8_t* const begin = cursor.begin;
  if (cursor.end - cursor.in < kSlack || cursor.out_end - out < kSlack) return;
  const uint8_t* const last_in = cursor.end - kSlack;
  const uint8_t* const last_out = std::min<const uint8_t*>(cursor.out_end - kSlack, until);
  const uint8_t* after = cursor.in + 1;  // the tag
  size_t tag = *cursor.in;
  while (after <= last_in && out <= last_out) {
    const size_t kind = tag & 3;
    const uint8_t* const next = choose(kind, after + kind, after + (tag >> 2) + 1);
    const int64_t entry = kElements[tag];
    uint32_t word;
    std::memcpy(&word, after, 4);
    const int64_t overlap = entry - int64_t(word & kOffsets[kind]);  // length minus offset
    const size_t length = uint8_t(entry);
    const size_t offset = size_t(int64_t(length) - overlap);
    if (__builtin_expect(overlap > 0 || offset > size_t(out - begin), 0)) break;
    const uint8_t* const from = choose(kind, out - offset, after);
    copy_16(from, out);
    copy_16(from + 16, out + 16);
    if (__builtin_expect(length > 32, 0)) {
      copy_16(from + 32, out + 32);
      copy_16(from + 48, out + 48);
    }
    out += length;
    after = next + 1;
    tag = *next;
  }
  cursor.in = after - 1;
  cursor.out = out;
}

// Any element, with all checks.
void decompress_one(Cursor& cursor) {
  const uint8_t* in = cursor.in;
  uint8_t* const out = cursor.out;
  const size_t left = size_t(cursor.end - in) - 1, room = size_t(cursor.out_end - out);
  const uint8_t tag = *in++;
  size_t length = (tag >> 2) + 1;
  if ((tag & 3) == 0) {  // literal
    const size_t extra = length > 60 ? length - 60 : 0;
    if (left < extra) corrupt();
    if (extra) {
      uint32_t value = 0;
      std::memcpy(&value, in, extra);
      in += extra;
      length = size_t(value) + 1;
    }
    if (length > left - extra || length > room) corrupt();
    if (length <= 64) copy_wide(in, out, length);
    else std::memcpy(out, in, length);
    in += length;
  } else {
    const size_t bytes = (tag & 3) == 3 ? 4 : tag & 3;
    if (left < bytes) corrupt();
    uint32_t value = 0;
    std::memcpy(&value, in, bytes);
    in += bytes;
    size_t offset = value;
    if ((tag & 3) == 1) {
      length = ((tag >> 2) & 7) + 4;
      offset |= size_t(tag >> 5) << 8;
    }
    if (offset == 0 || offset > size_t(out - cursor.begin) || length > room) corrupt();
    copy_back(out, offset, length);
  }
  cursor.in = in;
  cursor.out = out + length;
}

Cursor open(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) {
  const uint8_t* const end = in + in_size;
  uint64_t stated = 0;
  for (int shift = 0;; shift += 7) {
    if (in == end || shift > 28) corrupt();
    stated |= uint64_t(*in & 0x7f) << shift;
    if (*in++ < 0x80) break;
  }
  if (stated != size) corrupt();
  return {in, end, out, out, out + size};
}

// Whole elements, until there are so many bytes or no more elements.
void decompress_until(Cursor& cursor, const uint8_t* until, SnappyWay way) {
  while (cursor.in < cursor.end && cursor.out < until) {
    if (way == SnappyWay::Unforeseen) decompress_unforeseen(cursor, until);
    else decompress_fast(cursor, until);
    if (cursor.in < cursor.end && cursor.out < until) decompress_one(cursor);
  }
}

void finish(Cursor& cursor, SnappyWay way) {
  decompress_until(cursor, cursor.out_end, way);
  if (cursor.in != cursor.end || cursor.out != cursor.out_end) corrupt();
}

constexpr size_t kTried = 32 << 10;  // bytes, each way

int64_t nanoseconds_until(Cursor& cursor, const uint8_t* until, SnappyWay way) {
  const auto begin = std::chrono::steady_clock::now();
  decompress_until(cursor, until, way);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

void snappy_decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size, SnappyWay way) {
  Cursor cursor = open(in, in_size, out, size);
  finish(cursor, way);
}

void SnappyTexts::decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) {
  Cursor cursor = open(in, in_size, out, size);
  if (!tried_ && size >= 4 * kTried) {
    tried_ = true;
    const int64_t unforeseen = nanoseconds_until(cursor, out + kTried, SnappyWay::Unforeseen);
    const int64_t foreseen = nanoseconds_until(cursor, out + 2 * kTried, SnappyWay::Foreseen);
    if (foreseen < unforeseen) way_ = SnappyWay::Foreseen;
  }
  finish(cursor, way_);
}

}  // namespace tableflow::parquet
