// Row hashes in Python.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include "hash.h"
#include "interpreter_lock.h"
#include "numpy_array.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

ArrayOut<uint64_t> hash_columns(const std::vector<VectorPtr>& columns, std::optional<ArrayIn<uint32_t>> selection, int64_t length) {
  const int64_t n = selection ? int64_t(selection->size()) : length;
  const uint32_t* rows = selection ? selection->data() : nullptr;
  auto out = std::make_shared<Buffer>(size_t(n) * 8);
  {
    const Released released(n * int64_t(columns.size()));
    if (length < 0) throw std::invalid_argument("negative length");
    if (rows) check_rows(rows, n, length);
    if (columns.empty()) std::fill_n(out->as<uint64_t>(), n, null_hash);
    for (size_t c = 0; c < columns.size(); ++c) {
      if (columns[c]->length < length) throw std::invalid_argument("a column is shorter than the batch");
      hash_vector(*columns[c], rows, n, out->as<uint64_t>(), c > 0);
    }
  }
  return to_numpy<uint64_t>(std::move(out), size_t(n));
}

}  // namespace

void register_hash(nb::module_& m) {
  m.attr("HASH_VERSION") = hash_version;
  m.def("hash_columns", &hash_columns, nb::arg("columns"), nb::arg("selection").none(), nb::arg("length"));
}
