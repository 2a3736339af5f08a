// Partitioning in Python.
#include <nanobind/stl/optional.h>

#include "numpy_array.h"
#include "partition.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

nb::tuple partition(ArrayIn<uint64_t> hashes, uint32_t parts, std::optional<ArrayIn<uint32_t>> selection) {
  const size_t n = hashes.size();
  if (parts == 0) throw std::invalid_argument("rows are partitioned into at least one part");
  if (selection && selection->size() != n) throw std::invalid_argument("as many hashes as selected rows are expected");
  if (n > UINT32_MAX) throw std::invalid_argument("more rows than a row number can count");
  auto rows = std::make_shared<Buffer>(n * 4);
  auto starts = std::make_shared<Buffer>((size_t(parts) + 1) * 8);
  const uint32_t* selected = selection ? selection->data() : nullptr;
  {
    nb::gil_scoped_release released;
    partition_rows(hashes.data(), selected, int64_t(n), parts, rows->as<uint32_t>(), starts->as<int64_t>());
  }
  return nb::make_tuple(to_numpy<uint32_t>(std::move(rows), n), to_numpy<int64_t>(std::move(starts), size_t(parts) + 1));
}

}  // namespace

void register_partition(nb::module_& m) {
  m.def("partition", &partition, nb::arg("hashes"), nb::arg("parts"), nb::arg("selection").none());
}
