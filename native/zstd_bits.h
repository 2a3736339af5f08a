// A stream of bits that is read from its last byte backwards, as Zstandard's entropy coders leave it (RFC 8878, section 4.1).
//
// Reading past the beginning gives zeros and is noticed: `overrun` says so afterwards, `finished` that every bit was read and none else.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tableflow::zstd {

[[noreturn]] void corrupt();

inline int highest_bit(uint32_t value) { return 31 - std::countl_zero(value); }

class BackwardBits {
 public:
  // The highest bit that is set in the last byte ends the stream.
  BackwardBits(const uint8_t* data, size_t size) : begin_(data) {
    if (size == 0 || data[size - 1] == 0) corrupt();
    used_ = unsigned(8 - highest_bit(data[size - 1]));
    if (size >= 8) {
      at_ = data + size - 8;
      std::memcpy(&word_, at_, 8);
    } else {
      at_ = data;
      word_ = 0;
      std::memcpy(&word_, data, size);
      used_ += unsigned(8 - size) * 8;
    }
  }

  // The next n <= 56 bits without taking them.
  uint64_t peek(unsigned n) const { return (word_ << (used_ & 63)) >> 1 >> (63 - n); }
  void take(unsigned n) { used_ += n; }
  uint64_t read(unsigned n) {
    const uint64_t value = peek(n);
    used_ += n;
    return value;
  }

  // Whether refill_fast may be called.
  bool far() const { return at_ - begin_ >= 8; }
  // Afterwards at least 57 bits are there.
  void refill_fast() {
    at_ -= used_ >> 3;
    used_ &= 7;
    std::memcpy(&word_, at_, 8);
  }
  // Afterwards at least 57 bits are there, or all that are left.
  void refill() {
    if (far() && used_ <= 64) return refill_fast();
    if (used_ > 64) {  // nothing but zeros from now on
      word_ = 0;
      used_ = 65;
      at_ = begin_;
      return;
    }
    const size_t whole = used_ >> 3, there = size_t(at_ - begin_);
    const size_t back = whole < there ? whole : there;
    if (!back) return;
    at_ -= back;
    used_ -= unsigned(back) * 8;
    std::memcpy(&word_, at_, 8);
  }

  bool overrun() const { return used_ > 64; }
  bool finished() const { return at_ == begin_ && used_ == 64; }

 private:
  const uint8_t* begin_;
  const uint8_t* at_;
  uint64_t word_;
  unsigned used_;  // bits of the word, from the highest
};

}  // namespace tableflow::zstd
