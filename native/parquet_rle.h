// The hybrid of run-length encoding and bit packing that Parquet uses for levels and dictionary codes.
//
// Reads up to 16 bytes past the data it is given, so that must lie in a padded buffer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "parquet_page.h"

namespace tableflow::parquet {

// 32 values of `Width` bits from a byte boundary.
template <int Width>
inline void unpack_32(const uint8_t* in, uint32_t* out) {
  if constexpr (Width == 0) {
    std::memset(out, 0, 128);
  } else if constexpr (Width == 8) {
    for (int i = 0; i < 32; ++i) out[i] = in[i];
  } else if constexpr (Width == 32) {
    std::memcpy(out, in, 128);
  } else {
    constexpr uint64_t mask = (uint64_t(1) << Width) - 1;
    // As many values as one load holds after a shift of at most 7 bits.
    constexpr int per_load = Width <= 7 ? 8 : 57 / Width;
    for (int i = 0; i < 32; i += per_load) {
      const int bit = i * Width;
      uint64_t word;
      std::memcpy(&word, in + (bit >> 3), 8);
      word >>= bit & 7;
      for (int j = 0; j < per_load && i + j < 32; ++j) out[i + j] = uint32_t(word >> (j * Width) & mask);
    }
  }
}

using Unpack = void (*)(const uint8_t*, uint32_t*);
Unpack wide_unpack_of(int width);  // null unless this processor has a faster one
Unpack unpack_of(int width);  // 0 <= width <= 32; may read 16 bytes past the values

class RleReader {
 public:
  RleReader() = default;
  RleReader(const uint8_t* data, const uint8_t* end, int width) : at_(data), end_(end), width_(width), unpack_(unpack_of(width)) {}

  // Gives `count` values to the sink, as sink.run(value, n) and sink.values(pointer, n); throws Corrupt if there are fewer.
  template <class Sink>
  void read(int64_t count, Sink&& sink) {
    if (width_ == 0) {
      if (count) sink.run(uint32_t(0), count);
      return;
    }
    uint32_t chunk[kChunk];
    while (count > 0) {
      if (left_ == 0) next_run();
      const int64_t n = std::min(count, left_);
      if (!packed_) {
        sink.run(value_, n);
      } else {
        for (int64_t done = 0; done < n;) {
          const int64_t m = std::min<int64_t>(n - done, kChunk - 32);
          sink.values(unpack(chunk, m), m);
          done += m;
        }
      }
      left_ -= n;
      count -= n;
    }
  }

  // Of the next `span` values those at `count` ascending places.
  void pick(int64_t span, const uint32_t* at, int64_t count, uint32_t* out) {
    if (width_ == 0) {
      std::fill_n(out, count, 0);
      return;
    }
    for (int64_t base = 0, k = 0; base < span;) {
      if (left_ == 0) next_run();
      const int64_t n = std::min(span - base, left_);
      const int64_t to = std::lower_bound(at + k, at + count, base + n) - at;
      if (!packed_) {
        std::fill(out + k, out + to, value_);
      } else if ((to - k) * kSparse < n) {
        extract(index_ - base, at + k, to - k, out + k);
        index_ += n;
      } else {
        pick_unpacked(base, n, at + k, to - k, out + k);
      }
      k = to;
      left_ -= n;
      base += n;
    }
  }

  // Bits of a reader of width 1, as sink.run(value, n) and sink.bits(bytes, first bit, n).
  template <class Sink>
  void read_bits(int64_t count, Sink&& sink) {
    while (count > 0) {
      if (left_ == 0) next_run();
      const int64_t n = std::min(count, left_);
      if (packed_) {
        sink.bits(run_, index_, n);
        index_ += n;
      } else {
        sink.run(value_ & 1, n);
      }
      left_ -= n;
      count -= n;
    }
  }

 private:
  static constexpr int kChunk = 1024 + 32;
  static constexpr int64_t kSparse = 8;  // to unpack so many values takes as long as to extract one

  // The values at places counted from `first`.  They lie far apart in memory: the less there is to do for each, the more are waited for at once.
  void extract(int64_t first, const uint32_t* at, int64_t count, uint32_t* __restrict out) const {
    const uint8_t* const run = run_;
    const int64_t width = width_;
    const uint64_t mask = (uint64_t(1) << width) - 1;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t bit = (first + at[i]) * width;
      uint64_t word;
      std::memcpy(&word, run + (bit >> 3), 8);
      out[i] = uint32_t(word >> (bit & 7) & mask);
    }
  }

  void pick_unpacked(int64_t base, int64_t n, const uint32_t* at, int64_t count, uint32_t* out) {
    uint32_t chunk[kChunk];
    for (int64_t done = 0, k = 0; done < n;) {
      const int64_t m = std::min<int64_t>(n - done, kChunk - 32);
      const uint32_t* values = unpack(chunk, m);
      const int64_t first = base + done;
      for (; k < count && at[k] < first + m; ++k) out[k] = values[at[k] - first];
      done += m;
    }
  }

  // The next m values of the packed run, somewhere in `chunk`.
  const uint32_t* unpack(uint32_t* chunk, int64_t m) {
    const int64_t lead = index_ & 7;  // a byte boundary lies at every eighth value
    const uint8_t* in = run_ + ((index_ - lead) * width_ >> 3);
    for (int64_t i = 0; i < lead + m; i += 32, in += 4 * width_) {
      // The last block may reach past the run: whole blocks are read only where the data is, the rest is copied first.
      if (in + 4 * width_ <= end_) {
        unpack_(in, chunk + i);
      } else {
        uint8_t rest[128 + 16] = {};
        std::memcpy(rest, in, size_t(std::max<int64_t>(0, end_ - in)));
        unpack_(rest, chunk + i);
      }
    }
    index_ += m;
    return chunk + lead;
  }

  void next_run() {
    uint64_t head = 0;
    for (int shift = 0;; shift += 7) {
      if (at_ >= end_ || shift > 35) throw Corrupt("levels or codes of a page end early");
      head |= uint64_t(*at_ & 0x7f) << shift;
      if (*at_++ < 0x80) break;
    }
    packed_ = head & 1;
    if (packed_) {
      // The last run may be cut off after its last value.
      const int64_t bytes = std::min<int64_t>(int64_t(head >> 1) * width_, end_ - at_);
      left_ = bytes * 8 / width_;
      run_ = at_;
      index_ = 0;
      at_ += bytes;
    } else {
      const int bytes = (width_ + 7) / 8;
      if (end_ - at_ < bytes) throw Corrupt("levels or codes of a page end early");
      value_ = 0;
      std::memcpy(&value_, at_, size_t(bytes));
      at_ += bytes;
      left_ = int64_t(head >> 1);
    }
  }

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  int width_ = 0;
  Unpack unpack_ = nullptr;
  bool packed_ = false;
  uint32_t value_ = 0;
  int64_t left_ = 0;              // values of the current run
  const uint8_t* run_ = nullptr;  // packed: its first byte, and the number of values taken
  int64_t index_ = 0;
};

}  // namespace tableflow::parquet
