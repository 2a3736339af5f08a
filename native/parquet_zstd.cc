#include "parquet_zstd.h"

#include <algorithm>
#include <memory>

#include "parquet_page.h"
#include "zstd_checksum.h"
#include "zstd_huffman.h"
#include "zstd_sequences.h"

namespace tableflow::parquet {
namespace {

using zstd::corrupt;

constexpr uint32_t kMagic = 0xFD2FB528, kSkippable = 0x184D2A50;
constexpr size_t kLargestBlock = size_t(128) << 10;
constexpr size_t kPadding = 64;

uint64_t number(const uint8_t*& in, const uint8_t* end, size_t bytes) {
  if (size_t(end - in) < bytes) corrupt();
  uint64_t value = 0;
  std::memcpy(&value, in, bytes);
  in += bytes;
  return value;
}

// One frame: blocks, whose tables and offsets the next one may use.
class Frame {
 public:
  explicit Frame(zstd::Output& out) : out_(out) { out_.begin = out_.at; }

  // Behind the magic; gives where the frame ends.
  const uint8_t* run(const uint8_t* in, const uint8_t* end) {
    const auto about = unsigned(number(in, end, 1));
    const bool single = about >> 5 & 1;
    if (about & 8) corrupt();
    if (!single) number(in, end, 1);  // the window, which all that is kept exceeds
    if (const unsigned dictionary = about & 3)
      if (number(in, end, dictionary == 3 ? 4 : dictionary)) throw Unsupported("a page needs a zstd dictionary");
    const unsigned flag = about >> 6;
    const size_t bytes = flag ? size_t(1) << flag : single;
    const uint64_t stated = number(in, end, bytes) + (flag == 1 ? 256 : 0);
    if (bytes && stated > uint64_t(out_.end - out_.at)) corrupt();
    for (bool last = false; !last;) {
      const auto head = size_t(number(in, end, 3));
      last = head & 1;
      in = block(int(head >> 1 & 3), head >> 3, in, end);
    }
    const auto size = size_t(out_.at - out_.begin);
    if (bytes && stated != size) corrupt();
    if (about & 4 && number(in, end, 4) != uint32_t(zstd::xxh64(out_.begin, size))) corrupt();
    return in;
  }

 private:
  const uint8_t* block(int type, size_t size, const uint8_t* in, const uint8_t* end) {
    const size_t stored = type == 1 ? 1 : size;
    if (type == 3 || size > kLargestBlock || stored > size_t(end - in)) corrupt();
    if (type == 2) {
      compressed(in, in + size);
      return in + size;
    }
    if (size > size_t(out_.end - out_.at)) corrupt();
    if (type == 1) std::memset(out_.at, *in, size);
    else std::memcpy(out_.at, in, size);
    out_.at += size;
    return in + stored;
  }

  void compressed(const uint8_t* in, const uint8_t* end) {
    if (in == end) corrupt();
    const int type = *in & 3, format = *in >> 2 & 3;
    zstd::Literals literals = type < 2 ? plain_literals(type, format, in, end) : coded_literals(type, format, in, end);
    sequences_.run(in, end, literals, out_);
  }

  zstd::Literals plain_literals(int type, int format, const uint8_t*& in, const uint8_t* end) {
    const size_t bytes = format == 1 ? 2 : format == 3 ? 3 : 1;
    const auto size = size_t(number(in, end, bytes) >> (bytes == 1 ? 3 : 4));
    if (size > kLargestBlock) corrupt();
    if (type == 0) {
      if (size > size_t(end - in)) corrupt();
      in += size;
      return {in - size, in};
    }
    std::memset(room(size), int(number(in, end, 1)), size);
    return {literals_.get(), literals_.get() + size};
  }

  zstd::Literals coded_literals(int type, int format, const uint8_t*& in, const uint8_t* end) {
    const size_t width = format == 3 ? 18 : format == 2 ? 14 : 10;
    const uint64_t head = number(in, end, (4 + 2 * width + 7) / 8) >> 4, mask = (uint64_t(1) << width) - 1;
    const auto size = size_t(head & mask), stored = size_t(head >> width & mask);
    if (size > kLargestBlock || stored > size_t(end - in)) corrupt();
    const uint8_t* const stop = in + stored;
    if (type == 2) in += huffman_.read(in, stop);
    else if (!huffman_.known()) corrupt();
    uint8_t* const to = room(size);
    if (format == 0) huffman_.decode(in, size_t(stop - in), to, size);
    else huffman_.decode_four(in, size_t(stop - in), to, size);
    in = stop;
    return {to, to + size};
  }

  uint8_t* room(size_t size) {
    if (!literals_ || size > room_) {
      literals_ = std::make_unique_for_overwrite<uint8_t[]>(size + kPadding);
      room_ = size;
    }
    return literals_.get();
  }

  zstd::Output& out_;
  zstd::HuffmanTable huffman_;
  zstd::SequenceDecoder sequences_;
  std::unique_ptr<uint8_t[]> literals_;
  size_t room_ = 0;
};

}  // namespace

void zstd_decompress(const uint8_t* in, size_t in_size, uint8_t* out, size_t size) {
  const uint8_t* const end = in + in_size;
  zstd::Output to{out, out, out + size};
  while (in != end) {
    const auto magic = uint32_t(number(in, end, 4));
    if ((magic & ~15u) == kSkippable) {
      const auto bytes = size_t(number(in, end, 4));
      if (bytes > size_t(end - in)) corrupt();
      in += bytes;
    } else if (magic == kMagic) {
      in = Frame(to).run(in, end);
    } else {
      corrupt();
    }
  }
  if (to.at != to.end) corrupt();
}

}  // namespace tableflow::parquet
