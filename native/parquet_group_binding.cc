// Column chunks side by side in Python: an object with their readers and filters, and one call for some rows of all.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <tuple>

#include "numpy_array.h"
#include "parquet_binding.h"
#include "parquet_group.h"
#include "parquet_groups.h"

namespace nb = nanobind;
using namespace tableflow;
using namespace tableflow::parquet;

namespace {

constexpr int64_t kMostRows = int64_t(1) << 27;

// Filters that keep the arrays they point at.
class Filters {
 public:
  void accept(size_t column, ArrayIn<uint8_t> accepted) {
    accepted_.push_back(std::move(accepted));
    filters_.push_back({column, std::span(accepted_.back().data(), accepted_.back().size()), {}});
  }

  void among(size_t column, int64_t low, int64_t high, std::optional<ArrayIn<uint64_t>> bits, int64_t first) {
    if (bits && low <= high && (low < first || (uint64_t(high) - uint64_t(first)) / 64 >= bits->size()))
      throw std::out_of_range("the bit map has no bit for some of the numbers");
    filters_.push_back({column, std::nullopt, {low, high, bits ? bits->data() : nullptr, first}});
    if (bits) bits_.push_back(std::move(*bits));
  }

  std::span<const ColumnFilter> all() const { return filters_; }

 private:
  std::vector<ColumnFilter> filters_;
  std::vector<ArrayIn<uint8_t>> accepted_;
  std::vector<ArrayIn<uint64_t>> bits_;
};

// Columns, places of rows or None for all, how many rows each filter that was applied left, and the column that gave up or -1; `read` runs
// without the GIL.
template <class Read> nb::tuple rows_of(Read read) {
  GroupRows found;
  BufferPtr at;
  {
    nb::gil_scoped_release released;
    found = read();
    if (!found.all) {
      at = std::make_shared<Buffer>(found.at.size() * 4 + 4);
      std::copy(found.at.begin(), found.at.end(), at->as<uint32_t>());
    }
  }
  nb::object places = nb::none();
  if (!found.all) places = nb::cast(to_numpy<uint32_t>(std::move(at), found.at.size()));
  return nb::make_tuple(std::move(found.columns), places, std::move(found.after), found.refused);
}

class GroupReader : public Filters {
 public:
  explicit GroupReader(std::vector<std::shared_ptr<ColumnChunkReader>> readers) : readers_(std::move(readers)) {}

  nb::tuple read(int64_t rows) {
    return rows_of([&] {
      if (rows < 0 || rows > kMostRows) throw std::out_of_range("too many rows for one call");
      std::vector<ColumnChunkReader*> readers;
      for (const auto& reader : readers_) readers.push_back(reader.get());
      return read_group(readers, rows, all());
    });
  }

 private:
  std::vector<std::shared_ptr<ColumnChunkReader>> readers_;
};

using ColumnIn = std::tuple<bool, std::string, std::string, int, std::string>;
using NumbersIn = ArrayIn<int64_t>;

// The rows of several row groups, to be read once.
class SeveralGroupsReader : public Filters {
 public:
  SeveralGroupsReader(int fd, const std::vector<ColumnIn>& columns, const std::vector<NumbersIn>& offsets,
                    const std::vector<NumbersIn>& sizes, const NumbersIn& rows, PageCachePtr cache) {
    if (columns.size() != offsets.size() || columns.size() != sizes.size()) throw std::out_of_range("a column has no places");
    std::vector<ChunkDefinition> chunks;
    std::vector<ChunkPlaces> places;
    for (size_t i = 0; i < columns.size(); ++i) {
      chunks.push_back(std::apply(chunk_definition, columns[i]));
      if (chunks.back().decompress && chunks.back().codec == Codec::Other) throw Unsupported("a codec that calls back");
      places.push_back({{offsets[i].data(), offsets[i].size()}, {sizes[i].data(), sizes[i].size()}});
    }
    int64_t total = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      const int64_t n = rows.data()[i];
      if (n < 0 || n > kMostRows - total) throw std::out_of_range("too many rows for one call");
      total += n;
    }
    reader_ = std::make_unique<GroupsReader>(std::make_shared<Descriptor>(fd), std::move(chunks), places,
                                             std::span(rows.data(), rows.size()), cache);
    cache_ = std::move(cache);
  }

  VectorPtr dictionary(size_t column) {
    nb::gil_scoped_release released;
    return reader().dictionary(column);
  }

  std::pair<int64_t, int64_t> pages() const { return {pages_.decompressed, pages_.cached}; }

  nb::tuple read() {
    GroupsReader& once = reader();
    const nb::tuple found = rows_of([&] { return once.read(all()); });
    pages_ = once.pages();
    reader_.reset();
    return found;
  }

 private:
  GroupsReader& reader() {
    if (!reader_) throw std::out_of_range("the row groups have been read");
    return *reader_;
  }

  PageCachePtr cache_;  // it belongs to Python, to which what reads without the lock need not come back
  std::unique_ptr<GroupsReader> reader_;
  ColumnChunkReader::Pages pages_;
};

}  // namespace

void register_parquet_group(nb::module_& m) {
  nb::class_<GroupReader>(m, "ParquetGroupReader", "Decodes column chunks side by side; see parquet_group.h.")
      .def(nb::init<std::vector<std::shared_ptr<ColumnChunkReader>>>(), nb::arg("readers"))
      .def("accept", &GroupReader::accept, nb::arg("column"), nb::arg("accepted"))
      .def("among", &GroupReader::among, nb::arg("column"), nb::arg("low"), nb::arg("high"), nb::arg("bits").none(),
           nb::arg("first"))
      .def("read", &GroupReader::read, nb::arg("rows"));
  nb::class_<SeveralGroupsReader>(m, "ParquetGroupsReader", "Decodes the chunks of several row groups together; see parquet_groups.h.")
      .def(nb::init<int, const std::vector<ColumnIn>&, const std::vector<NumbersIn>&, const std::vector<NumbersIn>&, const NumbersIn&,
                    PageCachePtr>(),
           nb::arg("fd"), nb::arg("columns"), nb::arg("offsets"), nb::arg("sizes"), nb::arg("rows"), nb::arg("cache").none() = nb::none())
      .def("accept", &SeveralGroupsReader::accept, nb::arg("column"), nb::arg("accepted"))
      .def("among", &SeveralGroupsReader::among, nb::arg("column"), nb::arg("low"), nb::arg("high"), nb::arg("bits").none(),
           nb::arg("first"))
      .def("dictionary", &SeveralGroupsReader::dictionary, nb::arg("column"))
      .def("read", &SeveralGroupsReader::read)
      .def_prop_ro("pages", &SeveralGroupsReader::pages);
}
