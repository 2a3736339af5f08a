// Partitioning in Python.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <algorithm>

#include "group_arguments.h"
#include "interpreter_lock.h"
#include "partition.h"
#include "partition_ranges.h"

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
    const Released released{int64_t(n)};
    partition_rows(hashes.data(), selected, int64_t(n), parts, rows->as<uint32_t>(), starts->as<int64_t>());
  }
  return nb::make_tuple(to_numpy<uint32_t>(std::move(rows), n), to_numpy<int64_t>(std::move(starts), size_t(parts) + 1));
}

// The only part of all rows (nothing was dealt then), or (rows, starts).
nb::object partition_ranges(const VectorPtr& key, const std::string& format, ArrayIn<int64_t> boundaries, uint32_t parts,
                            int64_t length, const Selection& selection) {
  const std::span<const int64_t> ascending(boundaries.data(), boundaries.size());
  BufferPtr rows, starts;
  int64_t n, only;
  {
    const Released released(selection ? int64_t(selection->size()) : length);
    if (!std::is_sorted(ascending.begin(), ascending.end())) throw std::invalid_argument("boundaries ascend");
    if (length < 0 || length > UINT32_MAX) throw std::invalid_argument("more rows than a row number can count");
    n = checked_rows(selection, length);
    const std::vector<Input> inputs = inputs_of({key}, length, n, {});
    const uint32_t* selected = selection ? selection->data() : nullptr;
    RangePartition partition(format, ascending, parts);
    only = partition.only(inputs[0], selected, n);
    if (only < 0) {
      rows = std::make_shared<Buffer>(size_t(n) * 4);
      starts = std::make_shared<Buffer>((size_t(parts) + 1) * 8);
      partition.deal(inputs[0], selected, n, rows->as<uint32_t>(), starts->as<int64_t>());
    }
  }
  if (only >= 0) return nb::int_(only);
  return nb::make_tuple(to_numpy<uint32_t>(std::move(rows), size_t(n)), to_numpy<int64_t>(std::move(starts), size_t(parts) + 1));
}

}  // namespace

void register_partition(nb::module_& m) {
  m.def("partition", &partition, nb::arg("hashes"), nb::arg("parts"), nb::arg("selection").none());
  m.def("partition_ranges", &partition_ranges, nb::arg("key"), nb::arg("format"), nb::arg("boundaries"), nb::arg("parts"),
        nb::arg("length"), nb::arg("selection").none());
}
