// A window over a byte range of a file, read with pread: a file that shrinks while it is read is an error, not a signal.
#pragma once

#include <cstdint>
#include <memory>

#include "vector.h"

namespace tableflow::parquet {

// A descriptor of its own of a file that somebody else has opened.
class Descriptor {
 public:
  explicit Descriptor(int fd);  // throws std::system_error
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return fd_; }

 private:
  int fd_;
};
using DescriptorPtr = std::shared_ptr<const Descriptor>;

class FileRange {
 public:
  FileRange(DescriptorPtr file, int64_t begin, int64_t size);

  int64_t end() const { return end_; }

  // Bytes [offset, offset + size), with 64 readable bytes behind them; valid until the next call.  Throws Corrupt if they
  // lie outside the range or the file ends before.  `ahead`: what follows will be wanted, too, so some of it is read at once.
  const uint8_t* view(int64_t offset, int64_t size, bool ahead = true);

 private:
  // Puts bytes of the file behind those that are in the window, as far as there are any.
  void fill(int64_t wanted);

  DescriptorPtr file_;
  int64_t begin_, end_;
  std::unique_ptr<Buffer> window_;
  int64_t window_offset_ = 0;
  int64_t window_size_ = 0;
};

}  // namespace tableflow::parquet
