#include "parquet_delta.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "parquet_rle.h"

namespace tableflow::parquet {
namespace {

constexpr uint64_t kLargestBlock = 1 << 20;

[[noreturn]] void ends_early() { throw Corrupt("differences of a page end early"); }

uint64_t varint(const uint8_t*& in, const uint8_t* end) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (in == end) ends_early();
    value |= uint64_t(*in & 0x7f) << shift;
    if (*in++ < 0x80) return value;
  }
  throw Corrupt("a number of a page is too long");
}

uint64_t zigzag(const uint8_t*& in, const uint8_t* end) {
  const uint64_t v = varint(in, end);
  return (v >> 1) ^ (~(v & 1) + 1);
}

// 32 values of up to 64 bits; reads 4 * width bytes and up to 8 more.
void unpack_block(const uint8_t* in, int width, uint64_t* out) {
  if (width <= 32) {
    uint32_t narrow[32];
    unpack_of(width)(in, narrow);
    for (int i = 0; i < 32; ++i) out[i] = narrow[i];
    return;
  }
  const uint64_t mask = width == 64 ? ~uint64_t(0) : (uint64_t(1) << width) - 1;
  for (int i = 0; i < 32; ++i) {
    const int bit = i * width, shift = bit & 7;
    uint64_t word;
    std::memcpy(&word, in + (bit >> 3), 8);
    word >>= shift;
    if (shift + width > 64) word |= uint64_t(in[(bit >> 3) + 8]) << (64 - shift);
    out[i] = word & mask;
  }
}

// Blocks of DELTA_BINARY_PACKED; T is unsigned, sums wrap around as the format says.
template <class T> class DeltaReader {
 public:
  DeltaReader(const uint8_t* in, const uint8_t* end, int64_t most) : in_(in), end_(end) {
    block_ = varint(in_, end_);
    miniblocks_ = varint(in_, end_);
    const uint64_t count = varint(in_, end_);
    value_ = T(zigzag(in_, end_));
    if (block_ == 0 || block_ > kLargestBlock || miniblocks_ == 0 || miniblocks_ > block_ || block_ % miniblocks_ ||
        block_ / miniblocks_ % 32)
      throw Corrupt("differences of a page have blocks of a wrong size");
    if (count > uint64_t(most)) throw Corrupt("a page has more values than its header says");
    count_ = int64_t(count);
  }

  int64_t count() const { return count_; }

  // All values; returns where their bytes end.
  const uint8_t* read(T* out) {
    if (count_ == 0) return in_;
    *out = value_;
    const int64_t per_miniblock = int64_t(block_ / miniblocks_);
    for (int64_t done = 1; done < count_;) {
      const T least = T(zigzag(in_, end_));
      if (uint64_t(end_ - in_) < miniblocks_) ends_early();
      const uint8_t* widths = in_;
      in_ += miniblocks_;
      for (uint64_t m = 0; m < miniblocks_ && done < count_; ++m) {
        const int64_t n = std::min(per_miniblock, count_ - done);
        read_miniblock(widths[m], least, n, per_miniblock, out + done);
        done += n;
      }
    }
    return in_;
  }

 private:
  void read_miniblock(int width, T least, int64_t n, int64_t whole, T* out) {
    if (width > 64) throw Corrupt("differences of a page have more than 64 bits");
    // The last one may be cut off after its last value.
    if (end_ - in_ < (n * width + 7) / 8) ends_early();
    uint64_t values[32];
    const uint8_t* at = in_;
    for (int64_t i = 0; i < n; i += 32, at += 4 * width) {
      if (end_ - at >= 4 * width) {
        unpack_block(at, width, values);
      } else {
        uint8_t rest[4 * 64 + 8] = {};
        if (at < end_) std::memcpy(rest, at, size_t(end_ - at));
        unpack_block(rest, width, values);
      }
      const int64_t here = std::min<int64_t>(32, n - i);
      T sum = value_;
      for (int64_t j = 0; j < here; ++j) out[i + j] = sum = T(sum + least + T(values[j]));
      value_ = sum;
    }
    in_ += std::min<int64_t>(whole / 32 * 4 * width, end_ - in_);
  }

  const uint8_t* in_;
  const uint8_t* end_;
  uint64_t block_ = 0, miniblocks_ = 0;
  int64_t count_ = 0;
  T value_ = 0;
};

BufferPtr room(int64_t bytes) {
  if (bytes > kLargestPage) throw Unsupported("a page is larger than 256 MB");
  return std::make_shared<Buffer>(size_t(std::max<int64_t>(bytes, 1)));
}

template <class T> PlainPage packed_differences(const uint8_t* in, const uint8_t* end, int64_t most) {
  DeltaReader<T> reader(in, end, most);
  const int64_t size = reader.count() * int64_t(sizeof(T));
  PlainPage page{room(size), size};
  reader.read(page.bytes->as<T>());
  return page;
}

// Lengths, none negative; `in` is moved behind them.
std::vector<uint32_t> read_lengths(const uint8_t*& in, const uint8_t* end, int64_t most) {
  DeltaReader<uint32_t> reader(in, end, most);
  room(reader.count() * 4);
  std::vector<uint32_t> lengths(size_t(reader.count()));
  in = reader.read(lengths.data());
  for (const uint32_t length : lengths)
    if (length > uint32_t(INT32_MAX)) throw Corrupt("a string of a page has a negative length");
  return lengths;
}

PlainPage lengths_first(const uint8_t* in, const uint8_t* end, int64_t most) {
  const std::vector<uint32_t> lengths = read_lengths(in, end, most);
  int64_t total = 0;
  for (const uint32_t length : lengths) total += length;
  if (total > end - in) throw Corrupt("a string reaches past its page");
  const int64_t size = total + 4 * int64_t(lengths.size());
  PlainPage page{room(size), size};
  uint8_t* out = page.bytes->data();
  for (const uint32_t length : lengths) {
    std::memcpy(out, &length, 4);
    if (length) std::memcpy(out + 4, in, length);
    out += 4 + length;
    in += length;
  }
  return page;
}

// DELTA_BYTE_ARRAY: each string begins with some bytes of the one before.
PlainPage shared_prefixes(int width, const uint8_t* in, const uint8_t* end, int64_t most) {
  const std::vector<uint32_t> prefixes = read_lengths(in, end, most);
  const std::vector<uint32_t> suffixes = read_lengths(in, end, most);
  if (prefixes.size() != suffixes.size()) throw Corrupt("a page has prefixes and suffixes of different numbers");
  int64_t size = 0, stored = 0, before = 0;
  for (size_t i = 0; i < prefixes.size(); ++i) {
    if (prefixes[i] > before) throw Corrupt("a prefix is longer than the string before");
    before = int64_t(prefixes[i]) + suffixes[i];
    if (width && before != width) throw Corrupt("a value of a fixed length has another one");
    stored += suffixes[i];
    size += before + (width ? 0 : 4);
    if (size > kLargestPage) throw Unsupported("a page is larger than 256 MB");
  }
  if (stored > end - in) throw Corrupt("a string reaches past its page");
  PlainPage page{room(size), size};
  uint8_t* out = page.bytes->data();
  const uint8_t* last = out;
  for (size_t i = 0; i < prefixes.size(); ++i) {
    const uint32_t length = prefixes[i] + suffixes[i];
    if (!width) {
      std::memcpy(out, &length, 4);
      out += 4;
    }
    if (prefixes[i]) std::memcpy(out, last, prefixes[i]);
    if (suffixes[i]) std::memcpy(out + prefixes[i], in, suffixes[i]);
    last = out;
    out += length;
    in += suffixes[i];
  }
  return page;
}

template <int Width> void gather_streams(const uint8_t* in, int64_t count, uint8_t* out) {
  for (int64_t i = 0; i < count; ++i)
    for (int j = 0; j < Width; ++j) out[i * Width + j] = in[j * count + i];
}

PlainPage split_streams(int width, const uint8_t* in, const uint8_t* end, int64_t most) {
  const int64_t size = end - in;
  if (size % width) throw Corrupt("the streams of a page have different lengths");
  const int64_t count = size / width;
  if (count > most) throw Corrupt("a page has more values than its header says");
  PlainPage page{room(size), size};
  uint8_t* out = page.bytes->data();
  if (width == 4) gather_streams<4>(in, count, out);
  else if (width == 8) gather_streams<8>(in, count, out);
  else
    for (int j = 0; j < width; ++j)
      for (int64_t i = 0; i < count; ++i) out[i * width + j] = in[j * count + i];
  return page;
}

}  // namespace

bool rewrites(Encoding encoding) {
  return encoding == Encoding::DeltaBinaryPacked || encoding == Encoding::DeltaLengthByteArray ||
         encoding == Encoding::DeltaByteArray || encoding == Encoding::ByteStreamSplit;
}

PlainPage to_plain(Encoding encoding, bool integers, int width, const uint8_t* in, const uint8_t* end, int64_t most) {
  switch (encoding) {
    case Encoding::DeltaBinaryPacked:
      if (integers && width == 4) return packed_differences<uint32_t>(in, end, most);
      if (integers && width == 8) return packed_differences<uint64_t>(in, end, most);
      break;
    case Encoding::DeltaLengthByteArray:
      if (width == 0) return lengths_first(in, end, most);
      break;
    case Encoding::DeltaByteArray:
      if (width == 0 || !integers) return shared_prefixes(width, in, end, most);
      break;
    case Encoding::ByteStreamSplit:
      if (width > 0) return split_streams(width, in, end, most);
      break;
    default: break;
  }
  throw Unsupported("a page has an encoding that its type does not have");
}

}  // namespace tableflow::parquet
