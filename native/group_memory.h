// Arrays of plain values that grow to many megabytes.
//
// Large ones are mapped: growing moves page tables instead of bytes, memory that was never written costs nothing and reads as
// zero, and huge pages are asked for, because tables are read at random.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace tableflow {

template <class T> class Array {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Array() = default;
  Array(Array&& other) noexcept { swap(other); }
  Array& operator=(Array&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Array() { release(); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }

  void push_back(const T& value) {
    if (size_ == capacity_) reserve(size_ + 1);
    data_[size_++] = value;
    written_ = std::max(written_, size_);
  }
  void append(const T* values, size_t n) {
    if (size_ + n > capacity_) reserve(size_ + n);
    std::memcpy(static_cast<void*>(data_ + size_), values, n * sizeof(T));
    size_ += n;
    written_ = std::max(written_, size_);
  }
  void resize(size_t n, const T& value) {
    if (n > capacity_) reserve(n);
    std::fill(data_ + std::min(size_, n), data_ + n, value);
    size_ = n;
    written_ = std::max(written_, size_);
  }
  // New elements are all zero bits.
  void resize_zero(size_t n) {
    if (n > capacity_) reserve(n);
    const size_t dirty = std::min(written_, n);
    if (dirty > size_) std::memset(static_cast<void*>(data_ + size_), 0, (dirty - size_) * sizeof(T));
    size_ = n;
    written_ = std::max(written_, size_);
  }
  // New elements are whatever was there.
  void resize_raw(size_t n) {
    if (n > capacity_) reserve(n);
    size_ = n;
    written_ = std::max(written_, size_);
  }
  // Bytes that hold something or did: what was mapped and never written takes no memory.
  int64_t held() const {
    const size_t bytes = capacity_ * sizeof(T);
    return int64_t(mapped_ ? std::min(bytes, (written_ * sizeof(T) + page - 1) / page * page) : bytes);
  }
  // Room for n; at least half as much again as before, where that means to move bytes, else a quarter.
  void reserve(size_t n) {
    if (n <= capacity_) return;
    size_t wanted = std::max(n, capacity_ + capacity_ / (mapped_ ? 4 : 2));
    if (wanted * sizeof(T) < threshold) {
      auto* block = static_cast<T*>(std::realloc(static_cast<void*>(data_), wanted * sizeof(T)));
      if (!block) throw std::bad_alloc();
      std::memset(static_cast<void*>(block + capacity_), 0, (wanted - capacity_) * sizeof(T));
      data_ = block;
    } else {
      const size_t bytes = (wanted * sizeof(T) + page - 1) / page * page;
      wanted = bytes / sizeof(T);
      void* block = mapped_ ? mremap(data_, mapped_, bytes, MREMAP_MAYMOVE)
                            : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (block == MAP_FAILED) throw std::bad_alloc();
      madvise(block, bytes, MADV_HUGEPAGE);  // a wish: nothing depends on it
      if (!mapped_ && data_) {
        std::memcpy(block, static_cast<void*>(data_), capacity_ * sizeof(T));
        std::free(static_cast<void*>(data_));
      }
      data_ = static_cast<T*>(block);
      mapped_ = bytes;
    }
    capacity_ = wanted;
  }
  // The first n, and no memory for more.
  void shrink(size_t n) {
    Array kept;
    if (const size_t left = std::min(n, size_)) kept.append(data_, left);
    swap(kept);
  }
  void clear() { size_ = 0; }
  void release() {
    if (mapped_) {
      munmap(static_cast<void*>(data_), mapped_);
    } else {
      std::free(static_cast<void*>(data_));
    }
    data_ = nullptr;
    size_ = capacity_ = written_ = mapped_ = 0;
  }
  void swap(Array& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(written_, other.written_);
    std::swap(mapped_, other.mapped_);
  }

 private:
  static constexpr size_t page = size_t(1) << 21;
  static constexpr size_t threshold = size_t(1) << 21;
  T* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
  size_t written_ = 0;  // elements behind it are still zero
  size_t mapped_ = 0;   // bytes, when mapped
};

}  // namespace tableflow
