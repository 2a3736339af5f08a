// Decompressed pages of Parquet files that are kept from one query to the next, as far as a capacity allows.
//
// A page belongs to a version of a file as the operating system tells it, so one that is written again is another file.  A file that
// was changed a moment ago may change again within the same tick of its clock: its pages are not kept yet.
//
// Which pages stay: those that save most time for their bytes, that is uses times nanoseconds over bytes, where uses halve now and then
// (Einziger, Friedman, Manes: TinyLFU, ACM ToS 2017, section 3; Cao, Irani: Cost-Aware WWW Proxy Caching, USITS 1997).  A page only takes the
// place of one that saves clearly less, so that reading more than fits, again and again, finds what fits.
//
// To map memory, to have the kernel fill it with zeros and to take it from all processors again takes longer than to decompress a small
// page.  So a page that goes leaves its memory to the one that comes: those of the same footprint are asked first whether one of them saves less.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "parquet_page.h"
#include "vector.h"

namespace tableflow::parquet {

enum class Codec { Snappy, Lz4, Zstd, Other };  // Other: through a callback

// A page by where its header lies.
struct PageKey {
  uint64_t file;
  int64_t offset;
  Codec codec;
  bool operator==(const PageKey&) const = default;
};

struct KnownPage {
  PageHeader header;
  int64_t contents;  // where they begin in the file
};

// Shared by all threads.
class PageCache {
 public:
  // Files are kept of once they have not been changed for `settled_ns`.
  PageCache(int64_t capacity, int64_t settled_ns);

  // The number of the version of an open file; nothing if its pages are not to be kept.
  std::optional<uint64_t> file(int fd);
  std::optional<KnownPage> header(const PageKey& key) const;
  void keep_header(const PageKey& key, const KnownPage& page);
  // The bytes of a page that is used now; null if they are not here.  Nobody may write to them.
  BufferPtr use(const PageKey& key);
  // Offers a page that was missed and took so much of a processor to make; it is copied if it is kept.
  void offer(const PageKey& key, const uint8_t* bytes, size_t size, int64_t nanoseconds);

  void resize(int64_t capacity);  // gives back at once what is too much
  int64_t capacity() const;
  int64_t bytes() const;
  int64_t pages() const;
  int64_t hits() const;
  int64_t misses() const;
  int64_t evictions() const;

 private:
  struct Entry {
    KnownPage page;
    BufferPtr bytes;
    size_t place = 0, place_alike = 0;  // among the residents
    double nanoseconds = 0;  // the least that it took; 0: not known
    uint32_t uses = 0;

    double worth() const { return uses * nanoseconds / double(bytes->footprint()); }
  };
  struct Hash {
    size_t operator()(const PageKey& key) const;
  };

  using Entries = std::vector<Entry*>;
  // Residents of one footprint.
  struct Alike {
    Entries residents;
    std::vector<BufferPtr> spares;
    double least = 0;  // that was worth too much to go, when it was last asked for
    uint32_t refused = 0;
  };

  // The entry of a page whose bytes are not here.
  Entry* missing(const PageKey& key);
  // Frees places of pages that are worth less than this until there is room; false if there are not enough.
  bool make_room(size_t size, Alike& alike, double worth);
  bool is_full(size_t size) const;
  // One that saves so much less than a newcomer, times `clearly`, that it goes for it; else null.
  Entry* that_goes(const Entries& among, double worth, double clearly);
  Entry* least_of_some(const Entries& among);
  void drop(Entry& entry);
  void spare(BufferPtr bytes);
  void forget_spare();
  void age();
  uint64_t random();

  mutable std::mutex lock_;
  int64_t capacity_;
  const int64_t settled_ns_;
  int64_t used_ = 0;  // by pages, those included that are being copied
  int64_t spared_ = 0;
  int64_t hits_ = 0, misses_ = 0, evictions_ = 0;
  size_t uses_since_ = 0, refused_ = 0;
  uint64_t random_ = 0x9e3779b97f4a7c15;
  std::pmr::unsynchronized_pool_resource pool_;  // many small pieces of the heap, here to stay, would leave gaps everywhere
  std::pmr::unordered_map<PageKey, Entry, Hash> entries_{&pool_};
  Entries residents_;
  std::unordered_map<size_t, Alike> alike_;  // by their footprints
  std::vector<std::pair<std::array<int64_t, 5>, uint64_t>> files_;  // sorted
  uint64_t next_file_ = 0;
};
using PageCachePtr = std::shared_ptr<PageCache>;

// The pages of one column chunk in a cache; without one nothing is known and nothing kept.
class CachedPages {
 public:
  CachedPages() = default;
  CachedPages(PageCachePtr cache, int fd, Codec codec);

  bool active() const { return cache_ != nullptr; }
  std::optional<KnownPage> header(int64_t offset) const;
  void keep_header(int64_t offset, const KnownPage& page) const;
  BufferPtr use(int64_t offset) const;
  void offer(int64_t offset, const uint8_t* bytes, size_t size, int64_t nanoseconds) const;

 private:
  PageKey key(int64_t offset) const { return {file_, offset, codec_}; }

  PageCachePtr cache_;
  uint64_t file_ = 0;
  Codec codec_ = Codec::Other;
};

}  // namespace tableflow::parquet
