// The same columns of several row groups, read in one call and put together.
//
// What one group costs besides its bytes is paid for all of them here, without the interpreter.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "parquet_group.h"

namespace tableflow::parquet {

// Where the chunks of one column lie: one place for each group.
struct ChunkPlaces {
  std::span<const int64_t> offsets, sizes;
};

class GroupsReader {
 public:
  // Of the definitions everything but offset, size and number of values is used, and no callback.
  GroupsReader(DescriptorPtr file, std::vector<ChunkDefinition> columns, std::span<const ChunkPlaces> places,
               std::span<const int64_t> rows, PageCachePtr cache = nullptr);

  // The entries of the dictionaries of all groups one after the other; null if a group has none.
  VectorPtr dictionary(size_t column);
  // All rows that the filters leave, whose places count through all groups.  Acceptance is stated for the entries that
  // `dictionary` gave.  Numbers are looked up in dictionaries where there are some.  Only once; what a chunk refuses is thrown.
  GroupRows read(std::span<const ColumnFilter> filters);
  // Of all groups that have been read.
  const ColumnChunkReader::Pages& pages() const { return pages_; }

 private:
  struct Group {
    int64_t rows;
    std::vector<std::unique_ptr<ColumnChunkReader>> readers;
  };

  ColumnFilter filter_of(const ColumnFilter& filter, size_t group, std::vector<uint8_t>& accepted);

  std::vector<Group> groups_;
  ColumnChunkReader::Pages pages_;
  std::vector<std::vector<int64_t>> entries_;  // of each column the entries before each group, where they were asked for
};

}  // namespace tableflow::parquet
