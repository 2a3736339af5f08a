// Sorting, comparison and merging in Python.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include "numpy_array.h"
#include "sort_compare.h"
#include "sort_merge.h"

namespace nb = nanobind;
using namespace tableflow;
using namespace tableflow::sorting;

namespace {

using Columns = std::vector<VectorPtr>;
using Flags = std::vector<std::pair<bool, bool>>;  // (descending, nulls first)

std::vector<Direction> directions_of(const Flags& flags) {
  std::vector<Direction> directions;
  for (const auto& [descending, nulls_first] : flags) directions.push_back({descending, nulls_first});
  return directions;
}

void check_columns(const Columns& columns, size_t expected, int64_t n) {
  if (columns.size() != expected || columns.empty()) throw std::invalid_argument("as many key columns as directions are expected");
  for (const auto& column : columns) {
    if (column->length != n) throw std::invalid_argument("key columns have different lengths");
    if (column->kind == Kind::Nested) throw std::invalid_argument("values of a nested type have no order");
  }
}

// The order of rows, in steps.
class Sorting {
 public:
  Sorting(Columns columns, const Flags& flags, int64_t n) {
    check_columns(columns, flags.size(), n);
    if (n > UINT32_MAX) throw std::invalid_argument("more rows than a row number can count");
    work_ = sort_rows(std::move(columns), directions_of(flags), n, order_);
  }
  bool step(int64_t nanoseconds) {
    const Deadline deadline(nanoseconds);
    return (!work_ || work_.step(deadline)) && widen(deadline);
  }
  ArrayOut<int64_t> take() {
    if (work_ || !wide_ || widened_ < order_.size()) throw std::invalid_argument("the rows are not in order yet");
    return to_numpy<int64_t>(wide_, order_.size());
  }

 private:
  // The result's pages are touched for the first time here, which may take longer than what was written to them.
  bool widen(const Deadline& deadline) {
    if (!wide_) wide_ = std::make_shared<Buffer>(order_.size() * 8);
    int64_t* wide = wide_->as<int64_t>();
    while (widened_ < order_.size()) {
      const size_t end = std::min(order_.size(), widened_ + 65'536);
      for (; widened_ < end; ++widened_) wide[widened_] = order_[widened_];
      if (deadline.passed() && widened_ < order_.size()) return false;
    }
    return true;
  }

  std::vector<uint32_t> order_;
  BufferPtr wide_;
  size_t widened_ = 0;
  Work work_;
};

int64_t lower_bound_row(const Columns& sorted, int64_t n, const Columns& keys, int64_t row, const Flags& flags) {
  nb::gil_scoped_release released;
  check_columns(sorted, flags.size(), n);
  check_columns(keys, flags.size(), keys.empty() ? 0 : keys[0]->length);
  if (row < 0 || row >= keys[0]->length) throw std::out_of_range("the boundary lies outside its columns");
  return lower_bound(sorted, n, keys, row, directions_of(flags));
}

ArrayOut<uint32_t> select_before(const Columns& columns, std::optional<ArrayIn<uint32_t>> selection, int64_t length,
                                 const Columns& keys, int64_t row, const Flags& flags) {
  const int64_t n = selection ? int64_t(selection->size()) : length;
  const uint32_t* rows = selection ? selection->data() : nullptr;
  auto out = std::make_shared<Buffer>(size_t(n) * 4);
  int64_t kept = 0;
  {
    nb::gil_scoped_release released;
    check_columns(columns, flags.size(), length);
    check_columns(keys, flags.size(), keys.empty() ? 0 : keys[0]->length);
    if (row < 0 || row >= keys[0]->length) throw std::out_of_range("the threshold lies outside its columns");
    if (rows) check_rows(rows, n, length);
    kept = rows_before(columns, rows, n, keys, row, directions_of(flags), out->as<uint32_t>());
  }
  return to_numpy<uint32_t>(std::move(out), size_t(kept));
}

nb::tuple merge(Merger& merger, int64_t most) {
  Merged merged;
  {
    nb::gil_scoped_release released;
    merged = merger.merge(most);
  }
  return nb::make_tuple(nb::cast(merged.taken), to_numpy<int64_t>(std::move(merged.order), size_t(merged.rows)));
}

}  // namespace

void register_sort(nb::module_& m) {
  nb::class_<Sorting>(m, "Sorting", "The rows of columns in order, in steps of some milliseconds.")
      .def(nb::init<Columns, const Flags&, int64_t>(), nb::arg("columns"), nb::arg("directions"), nb::arg("length"))
      .def("step", &Sorting::step, nb::arg("nanoseconds") = Deadline::usual, nb::call_guard<nb::gil_scoped_release>())
      .def("take", &Sorting::take);
  m.def("lower_bound", &lower_bound_row, nb::arg("columns"), nb::arg("length"), nb::arg("keys"), nb::arg("row"), nb::arg("directions"));
  m.def("select_before", &select_before, nb::arg("columns"), nb::arg("selection").none(), nb::arg("length"), nb::arg("keys"),
        nb::arg("row"), nb::arg("directions"));
  nb::class_<Merger>(m, "Merger", "Merges sorted inputs block by block; see native/sort_merge.h.")
      .def("__init__", [](Merger* self, size_t inputs, const Flags& flags) { new (self) Merger(inputs, directions_of(flags)); },
           nb::arg("inputs"), nb::arg("directions"))
      .def("push", &Merger::push, nb::arg("input"), nb::arg("keys"), nb::arg("length"), nb::call_guard<nb::gil_scoped_release>())
      .def("finish", &Merger::finish, nb::arg("input"))
      .def("wants", &Merger::wants, nb::arg("input"))
      .def("merge", &merge, nb::arg("most"));
}
