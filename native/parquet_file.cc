#include "parquet_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "parquet_page.h"

namespace tableflow::parquet {
namespace {

constexpr int64_t kWindow = 256 << 10;
constexpr int64_t kSmall = 32 << 10;  // a range that is read at once: a second call takes longer than the bytes

}  // namespace

Descriptor::Descriptor(int fd) : fd_(::dup(fd)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "dup");
}

Descriptor::~Descriptor() { ::close(fd_); }

FileRange::FileRange(DescriptorPtr file, int64_t begin, int64_t size) : file_(std::move(file)), begin_(begin), end_(begin + size) {
  if (begin < 0 || size < 0 || end_ < begin) throw Corrupt("a column chunk lies outside the file");
}

const uint8_t* FileRange::view(int64_t offset, int64_t size, bool ahead) {
  if (offset < begin_ || size < 0 || offset > end_ || size > end_ - offset) throw Corrupt("a page reaches past its column chunk");
  const int64_t behind = window_offset_ + window_size_;
  if (window_ && offset >= window_offset_ && offset + size <= behind) return window_->data() + (offset - window_offset_);
  ahead = ahead || end_ - begin_ <= kSmall;
  const int64_t wanted = ahead ? std::min(std::max(size, kWindow), end_ - offset) : size;
  // What is there of it already is not read again.
  const int64_t kept = window_ && offset >= window_offset_ && offset < behind ? behind - offset : 0;
  const uint8_t* from = kept ? window_->data() + (offset - window_offset_) : nullptr;
  if (!window_ || int64_t(window_->size()) < wanted) {
    auto larger = std::make_unique<Buffer>(size_t(wanted));
    if (kept) std::memcpy(larger->data(), from, size_t(kept));
    window_ = std::move(larger);
  } else if (kept) {
    std::memmove(window_->data(), from, size_t(kept));
  }
  window_offset_ = offset;
  window_size_ = kept;
  fill(wanted);
  if (window_size_ < size) throw Corrupt("the file ends inside a column chunk");
  return window_->data();
}

void FileRange::fill(int64_t wanted) {
  while (window_size_ < wanted) {
    const ssize_t got =
        ::pread(file_->number(), window_->data() + window_size_, size_t(wanted - window_size_), window_offset_ + window_size_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "read");
    if (got == 0) break;
    window_size_ += got;
  }
}

}  // namespace tableflow::parquet
