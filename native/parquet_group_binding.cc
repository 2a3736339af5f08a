// Column chunks side by side in Python: an object with their readers and filters, and one call for some rows of all.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "numpy_array.h"
#include "parquet_group.h"

namespace nb = nanobind;
using namespace tableflow;
using namespace tableflow::parquet;

namespace {

constexpr int64_t kMostRows = int64_t(1) << 27;

class GroupReader {
 public:
  explicit GroupReader(std::vector<std::shared_ptr<ColumnChunkReader>> readers) : readers_(std::move(readers)) {}

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

  void clear_filters() {
    filters_.clear();
    accepted_.clear();
    bits_.clear();
  }

  nb::tuple read(int64_t rows) {
    GroupRows found;
    BufferPtr at;
    {
      nb::gil_scoped_release released;
      if (rows < 0 || rows > kMostRows) throw std::out_of_range("too many rows for one call");
      std::vector<ColumnChunkReader*> readers;
      for (const auto& reader : readers_) readers.push_back(reader.get());
      found = read_group(readers, rows, filters_);
      if (!found.all) {
        at = std::make_shared<Buffer>(found.at.size() * 4 + 4);
        std::copy(found.at.begin(), found.at.end(), at->as<uint32_t>());
      }
    }
    nb::object places = nb::none();
    if (!found.all) places = nb::cast(to_numpy<uint32_t>(std::move(at), found.at.size()));
    return nb::make_tuple(std::move(found.columns), places, found.filtered, found.refused);
  }

 private:
  std::vector<std::shared_ptr<ColumnChunkReader>> readers_;
  std::vector<ColumnFilter> filters_;
  std::vector<ArrayIn<uint8_t>> accepted_;  // what the filters point at
  std::vector<ArrayIn<uint64_t>> bits_;
};

}  // namespace

void register_parquet_group(nb::module_& m) {
  nb::class_<GroupReader>(m, "ParquetGroupReader", "Decodes column chunks side by side; see parquet_group.h.")
      .def(nb::init<std::vector<std::shared_ptr<ColumnChunkReader>>>(), nb::arg("readers"))
      .def("accept", &GroupReader::accept, nb::arg("column"), nb::arg("accepted"))
      .def("among", &GroupReader::among, nb::arg("column"), nb::arg("low"), nb::arg("high"), nb::arg("bits").none(),
           nb::arg("first"))
      .def("clear_filters", &GroupReader::clear_filters)
      .def("read", &GroupReader::read, nb::arg("rows"));
}
