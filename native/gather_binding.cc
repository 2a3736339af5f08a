// Take and concat in Python: all columns of a batch in one call.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "gather.h"
#include "interpreter_lock.h"
#include "numpy_array.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

template <class Index> void check_index(const Index* index, int64_t n, int64_t length, bool nullable) {
  bool bad = false;
  for (int64_t i = 0; i < n; ++i) {
    const bool inside = index[i] >= 0 && int64_t(index[i]) < length;
    bad |= !inside && !(nullable && index[i] == Index(-1));
  }
  if (bad) throw std::out_of_range("a row number lies outside the column");
}

template <class Index>
std::vector<VectorPtr> take(const std::vector<VectorPtr>& columns, ArrayIn<Index> index, bool nullable) {
  const int64_t n = int64_t(index.size());
  const Released released(n * int64_t(columns.size()));
  std::vector<VectorPtr> out;
  out.reserve(columns.size());
  int64_t checked = INT64_MAX;
  for (const auto& column : columns) {
    if (column->length < checked) check_index(index.data(), n, checked = column->length, nullable);
    out.push_back(gather(column, index.data(), n, nullable));
  }
  return out;
}

// How many values there are at most to put together.
int64_t values_of(const std::vector<std::vector<VectorPtr>>& columns) {
  int64_t values = 0;
  for (const auto& parts : columns)
    for (const auto& part : parts) values += part->length;
  return values;
}

// columns[c][p] is part p of column c; selections[p] the rows of part p that count, or None.
std::vector<VectorPtr> concat_columns(const std::vector<std::vector<VectorPtr>>& columns,
                                      const std::vector<std::optional<ArrayIn<uint32_t>>>& selections) {
  const Released released(values_of(columns));
  std::vector<VectorPtr> out;
  out.reserve(columns.size());
  std::vector<int64_t> checked(selections.size(), INT64_MAX);
  for (const auto& column : columns) {
    if (column.size() != selections.size()) throw std::invalid_argument("one selection per part is expected");
    std::vector<Rows> parts(column.size());
    for (size_t p = 0; p < column.size(); ++p) {
      parts[p].vector = column[p];
      parts[p].n = column[p]->length;
      if (!selections[p]) continue;
      parts[p].narrow = selections[p]->data();
      parts[p].n = int64_t(selections[p]->size());
      if (column[p]->length < checked[p]) check_rows(parts[p].narrow, parts[p].n, checked[p] = column[p]->length);
    }
    out.push_back(concat(parts));
  }
  return out;
}

// Rows [starts[p], starts[p] + counts[p]) of part p, all parts put together.
std::vector<VectorPtr> concat_ranges(const std::vector<std::vector<VectorPtr>>& columns, const std::vector<int64_t>& starts,
                                     const std::vector<int64_t>& counts) {
  const Released released(values_of(columns));
  std::vector<VectorPtr> out;
  out.reserve(columns.size());
  for (const auto& column : columns) {
    if (column.size() != starts.size() || column.size() != counts.size()) throw std::invalid_argument("one range per part is expected");
    std::vector<Rows> parts(column.size());
    for (size_t p = 0; p < column.size(); ++p) {
      const int64_t length = column[p]->length;
      if (starts[p] < 0 || counts[p] < 0 || starts[p] > length - counts[p]) throw std::out_of_range("a range lies outside the column");
      parts[p].vector = column[p];
      parts[p].n = counts[p];
      parts[p].first = starts[p];
    }
    out.push_back(concat(parts));
  }
  return out;
}

// All parts of all columns put together, or rows of columns taken, in steps; parts are cut into pieces, so that no step is long.
class Concatenation {
 public:
  explicit Concatenation(std::vector<std::vector<VectorPtr>> columns) : columns_(std::move(columns)), out_(columns_.size()) {
    work_ = run();
  }
  Concatenation(const std::vector<VectorPtr>& columns, ArrayIn<int64_t> index) : index_(std::move(index)), taking_(true), out_(columns.size()) {
    for (const auto& column : columns) {
      check_index(index_.data(), int64_t(index_.size()), column->length, false);
      columns_.push_back({column});
    }
    work_ = run();
  }
  bool step(int64_t nanoseconds) {
    bool done;
    {
      nb::gil_scoped_release released;
      done = work_.step(Deadline(nanoseconds));
    }
    for (; cleared_ < finished_; ++cleared_) columns_[cleared_].clear();  // they belong to Python
    return done;
  }
  std::vector<VectorPtr> take() {
    if (work_) throw std::invalid_argument("there are no columns that are finished");
    return std::move(out_);
  }

 private:
  static constexpr int64_t piece = 16384;

  Work run() {
    for (size_t c = 0; c < columns_.size(); ++c) {
      std::vector<Rows> parts;
      taking_ ? take_pieces(columns_[c][0], parts) : put_pieces(columns_[c], parts);
      co_await concat(std::move(parts), out_[c]);
      finished_ = c + 1;
      co_await give_way;
    }
  }
  static void put_pieces(const std::vector<VectorPtr>& parts, std::vector<Rows>& out) {
    for (const auto& part : parts) {
      int64_t first = 0;
      do {
        Rows rows;
        rows.vector = part;
        rows.first = first;
        rows.n = std::min(piece, part->length - first);
        out.push_back(std::move(rows));
        first += piece;
      } while (first < part->length);
    }
  }

  void take_pieces(const VectorPtr& column, std::vector<Rows>& out) const {
    const auto n = int64_t(index_.size());
    for (int64_t first = 0; first == 0 || first < n; first += piece) {
      Rows rows;
      rows.vector = column;
      rows.wide = index_.data() + first;
      rows.n = std::min(piece, n - first);
      out.push_back(std::move(rows));
    }
  }

  std::vector<std::vector<VectorPtr>> columns_;
  ArrayIn<int64_t> index_;
  bool taking_ = false;
  size_t finished_ = 0, cleared_ = 0;  // columns
  std::vector<VectorPtr> out_;
  Work work_;
};

}  // namespace

void register_gather(nb::module_& m) {
  m.def("take", &take<uint32_t>, nb::arg("columns"), nb::arg("index"), nb::arg("nullable"));
  m.def("take", &take<int64_t>, nb::arg("columns"), nb::arg("index"), nb::arg("nullable"));
  m.def("concat", &concat_columns, nb::arg("columns"), nb::arg("selections"));
  nb::class_<Concatenation>(m, "Concatenation", "All parts of all columns put together, in steps of some milliseconds.")
      .def(nb::init<std::vector<std::vector<VectorPtr>>>(), nb::arg("columns"))
      .def(nb::init<const std::vector<VectorPtr>&, ArrayIn<int64_t>>(), nb::arg("columns"), nb::arg("index"))
      .def("step", &Concatenation::step, nb::arg("nanoseconds") = Deadline::usual)
      .def("take", &Concatenation::take);
  m.def("concat_ranges", &concat_ranges, nb::arg("columns"), nb::arg("starts"), nb::arg("counts"));
}
