#include "page_cache.h"

#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace tableflow::parquet {
namespace {

constexpr int64_t kNanoseconds = 1'000'000'000;
constexpr int kSample = 16;             // residents that are compared for one place
constexpr double kClearly = 1.25;       // times what a page has to save more than the one whose place it takes
constexpr double kOfOthers = 2;         // and if that place is of another size, so that memory has to be mapped anew
constexpr size_t kUsesPerPage = 16;     // of all pages on average, before they halve
constexpr size_t kMostPages = 1 << 17;  // headers included of pages whose bytes are not kept
constexpr size_t kMostHere = 1 << 15;   // each is a mapping, of which a process may have 65,530
constexpr size_t kMostFiles = 1 << 16;

int64_t nanoseconds(const timespec& t) { return int64_t(t.tv_sec) * kNanoseconds + t.tv_nsec; }

uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  return x ^ (x >> 32);
}

}  // namespace

size_t PageCache::Hash::operator()(const PageKey& key) const {
  return size_t(mixed(mixed(key.file * 4 + uint64_t(key.codec)) + uint64_t(key.offset)));
}

PageCache::PageCache(int64_t capacity, int64_t settled_ns) : capacity_(std::max<int64_t>(capacity, 0)), settled_ns_(settled_ns) {}

std::optional<uint64_t> PageCache::file(int fd) {
  struct stat status;
  timespec now;
  if (::fstat(fd, &status) || ::clock_gettime(CLOCK_REALTIME, &now)) return std::nullopt;
  const int64_t changed = nanoseconds(status.st_ctim), modified = nanoseconds(status.st_mtim);
  if (nanoseconds(now) - std::max(changed, modified) < settled_ns_) return std::nullopt;
  const std::array<int64_t, 5> version{int64_t(status.st_dev), int64_t(status.st_ino), int64_t(status.st_size), modified, changed};
  const std::lock_guard guard(lock_);
  if (capacity_ == 0) return std::nullopt;
  auto at = std::lower_bound(files_.begin(), files_.end(), version, [](const auto& known, const auto& wanted) { return known.first < wanted; });
  if (at != files_.end() && at->first == version) return at->second;
  if (files_.size() >= kMostFiles) {  // the numbers of before are not found any more, and what is kept for them goes as it ages
    files_.clear();
    at = files_.end();
  }
  files_.insert(at, {version, ++next_file_});
  return next_file_;
}

std::optional<KnownPage> PageCache::header(const PageKey& key) const {
  const std::lock_guard guard(lock_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  return found->second.page;
}

void PageCache::keep_header(const PageKey& key, const KnownPage& page) {
  const std::lock_guard guard(lock_);
  if (entries_.size() >= kMostPages && ++refused_ % kMostPages == 0) age();
  if (entries_.size() < kMostPages) entries_.try_emplace(key).first->second.page = page;
}

BufferPtr PageCache::use(const PageKey& key) {
  const std::lock_guard guard(lock_);
  if (++uses_since_ > kUsesPerPage * (entries_.size() + kSample)) age();
  const auto found = entries_.find(key);
  const bool here = found != entries_.end() && found->second.bytes;
  ++(here ? hits_ : misses_);
  if (found != entries_.end()) ++found->second.uses;
  return here ? found->second.bytes : nullptr;
}

void PageCache::age() {
  uses_since_ = 0;
  for (auto& [footprint, alike] : alike_) alike.least /= 2;
  for (auto at = entries_.begin(); at != entries_.end();) {
    at->second.uses /= 2;
    if (at->second.uses == 0 && !at->second.bytes) at = entries_.erase(at);
    else ++at;
  }
}

void PageCache::offer(const PageKey& key, const uint8_t* bytes, size_t size, int64_t nanoseconds) {
  const size_t footprint = Buffer::lasting_footprint(size);
  BufferPtr copy;
  {
    const std::lock_guard guard(lock_);
    Entry* entry = size ? missing(key) : nullptr;
    if (!entry) return;
    if (entry->nanoseconds == 0 || double(nanoseconds) < entry->nanoseconds) entry->nanoseconds = double(nanoseconds);
    // This use does not count: a page that is read as often as those that are here, but earlier in each reading of them all, would
    // else take the place of one whose turn comes later, which would take it back.
    Alike& alike = alike_[footprint];
    if (!make_room(footprint, alike, (entry->uses - 1.0) * entry->nanoseconds / double(footprint))) return;
    if (!alike.spares.empty()) {
      copy = std::move(alike.spares.back());
      alike.spares.pop_back();
      spared_ -= int64_t(footprint);
      copy->fit(size);
    }
    used_ += int64_t(footprint);
  }
  if (!copy) copy = Buffer::lasting(size);
  std::memcpy(copy->data(), bytes, size);
  const std::lock_guard guard(lock_);
  used_ += int64_t(copy->footprint()) - int64_t(footprint);  // where it could not be mapped, it has another
  Entry* entry = missing(key);
  if (!entry || used_ + spared_ > capacity_) {
    used_ -= int64_t(copy->footprint());
    spare(std::move(copy));
    return;
  }
  Entries& alike = alike_[copy->footprint()].residents;
  entry->bytes = std::move(copy);
  entry->place = residents_.size();
  entry->place_alike = alike.size();
  residents_.push_back(entry);
  alike.push_back(entry);
}

PageCache::Entry* PageCache::missing(const PageKey& key) {
  const auto found = entries_.find(key);
  return found == entries_.end() || found->second.bytes ? nullptr : &found->second;
}

bool PageCache::is_full(size_t size) const {
  return used_ + spared_ + int64_t(size) > capacity_ || residents_.size() >= kMostHere;
}

bool PageCache::make_room(size_t size, Alike& alike, double worth) {
  if (int64_t(size) > capacity_) return false;
  while (is_full(size) && alike.spares.empty()) {
    if (spared_ > 0) {
      forget_spare();
      continue;
    }
    // Most are refused, and for most of these it is enough to know what was refused before.
    if (worth <= 0 || (worth <= alike.least && ++alike.refused % kSample != 0)) return false;
    Entry* goes = that_goes(alike.residents, worth, kClearly);
    if (!goes) goes = that_goes(residents_, worth, kOfOthers);
    if (!goes) {
      alike.least = worth;
      return false;
    }
    drop(*goes);
    ++evictions_;
  }
  return true;
}

PageCache::Entry* PageCache::that_goes(const Entries& among, double worth, double clearly) {
  Entry* least = least_of_some(among);
  return least && least->worth() * clearly < worth ? least : nullptr;
}

PageCache::Entry* PageCache::least_of_some(const Entries& among) {
  Entry* least = nullptr;
  for (int i = 0; i < kSample && !among.empty(); ++i) {
    Entry* one = among[size_t(random() % among.size())];
    if (!least || one->worth() < least->worth()) least = one;
  }
  return least;
}

void PageCache::drop(Entry& entry) {
  BufferPtr bytes = std::move(entry.bytes);
  entry.bytes.reset();
  used_ -= int64_t(bytes->footprint());
  Entries& alike = alike_[bytes->footprint()].residents;
  residents_[entry.place] = residents_.back();
  residents_[entry.place]->place = entry.place;
  residents_.pop_back();
  alike[entry.place_alike] = alike.back();
  alike[entry.place_alike]->place_alike = entry.place_alike;
  alike.pop_back();
  spare(std::move(bytes));
}

void PageCache::spare(BufferPtr bytes) {
  // What somebody still reads is not written to.  Nobody can begin to, since the entry is without it.
  if (bytes.use_count() > 1 || !bytes->is_lasting() || used_ + spared_ + int64_t(bytes->footprint()) > capacity_) return;
  std::atomic_thread_fence(std::memory_order_acquire);  // who read it last has done so
  spared_ += int64_t(bytes->footprint());
  alike_[bytes->footprint()].spares.push_back(std::move(bytes));
}

void PageCache::forget_spare() {
  for (auto& [footprint, alike] : alike_) {
    if (alike.spares.empty()) continue;
    spared_ -= int64_t(footprint);
    alike.spares.pop_back();
    return;
  }
}

uint64_t PageCache::random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

void PageCache::resize(int64_t capacity) {
  const std::lock_guard guard(lock_);
  capacity_ = std::max<int64_t>(capacity, 0);
  while (spared_ > 0 && used_ + spared_ > capacity_) forget_spare();
  while (used_ > capacity_ && !residents_.empty()) drop(*least_of_some(residents_));
}

int64_t PageCache::capacity() const {
  const std::lock_guard guard(lock_);
  return capacity_;
}

int64_t PageCache::bytes() const {
  const std::lock_guard guard(lock_);
  return used_ + spared_;
}

int64_t PageCache::pages() const {
  const std::lock_guard guard(lock_);
  return int64_t(residents_.size());
}

int64_t PageCache::hits() const {
  const std::lock_guard guard(lock_);
  return hits_;
}

int64_t PageCache::misses() const {
  const std::lock_guard guard(lock_);
  return misses_;
}

int64_t PageCache::evictions() const {
  const std::lock_guard guard(lock_);
  return evictions_;
}

CachedPages::CachedPages(PageCachePtr cache, int fd, Codec codec) : codec_(codec) {
  if (!cache) return;
  const auto file = cache->file(fd);
  if (!file) return;
  cache_ = std::move(cache);
  file_ = *file;
}

std::optional<KnownPage> CachedPages::header(int64_t offset) const {
  return cache_ ? cache_->header(key(offset)) : std::nullopt;
}

void CachedPages::keep_header(int64_t offset, const KnownPage& page) const {
  if (cache_) cache_->keep_header(key(offset), page);
}

BufferPtr CachedPages::use(int64_t offset) const { return cache_ ? cache_->use(key(offset)) : nullptr; }

void CachedPages::offer(int64_t offset, const uint8_t* bytes, size_t size, int64_t nanoseconds) const {
  if (cache_) cache_->offer(key(offset), bytes, size, nanoseconds);
}

}  // namespace tableflow::parquet
