// Memory for strings that die one by one: blocks of a few sizes, each size with a list of those that are free.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

namespace tableflow {

class TextBlocks {
 public:
  // A block of at least `bytes`; `give` takes it back with the same number.
  char* take(size_t bytes) {
    Size& size = sizes_[size_of(bytes)];
    if (char* block = size.free) {
      std::memcpy(&size.free, block, sizeof(char*));
      return block;
    }
    const size_t each = bytes_of(size_of(bytes));
    if (size.left < each) {
      const size_t page = std::max<size_t>(each, std::min<size_t>(size_t(1) << 20, std::max<size_t>(4096, size.taken)));
      pages_.push_back(std::make_unique_for_overwrite<char[]>(page));
      size.next = pages_.back().get();
      size.left = page;
      size.taken += page;
      bytes_ += int64_t(page);
    }
    char* block = size.next;
    size.next += each;
    size.left -= each;
    return block;
  }
  void give(char* block, size_t bytes) {
    Size& size = sizes_[size_of(bytes)];
    std::memcpy(block, &size.free, sizeof(char*));
    size.free = block;
  }
  int64_t bytes() const { return bytes_; }
  void clear() {
    for (Size& size : sizes_) size = {};
    pages_.clear();
    bytes_ = 0;
  }

 private:
  struct Size {
    char* free = nullptr;
    char* next = nullptr;
    size_t left = 0, taken = 0;
  };
  // 16, 24, 32, 48, 64, 96, ...: no more than a third of a block is wasted.
  static size_t size_of(size_t bytes) {
    if (bytes <= 16) return 0;
    const size_t up = size_t(std::bit_width(bytes - 1));  // 2^(up-1) < bytes <= 2^up
    return (up - 4) * 2 - (bytes <= size_t(3) << (up - 2) ? 1 : 0);
  }
  static size_t bytes_of(size_t size) { return size % 2 ? size_t(24) << (size / 2) : size_t(16) << (size / 2); }

  Size sizes_[64];
  std::vector<std::unique_ptr<char[]>> pages_;
  int64_t bytes_ = 0;
};

}  // namespace tableflow
