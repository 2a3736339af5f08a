// GroupTable in Python; the typed wrapper is tableflow.columnar.kernels.grouping.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "group_table.h"
#include "numpy_array.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

using Selection = std::optional<ArrayIn<uint32_t>>;

using Dense = std::optional<std::vector<bool>>;

// Vectors over `length` stored rows, or (dense) over the n rows that count.
std::vector<Input> inputs_of(const std::vector<VectorPtr>& vectors, int64_t length, int64_t n, const Dense& dense) {
  std::vector<Input> out;
  if (dense && dense->size() != vectors.size()) throw std::invalid_argument("every argument says whether it is dense");
  for (const auto& vector : vectors) {
    const bool by_lane = dense && (*dense)[out.size()];
    if (vector->length < (by_lane ? n : length)) throw std::out_of_range("a vector is shorter than its batch");
    if (vector->kind == Kind::Dict && vector->dictionary->kind != Kind::Str && vector->dictionary->kind != Kind::LargeStr)
      throw std::invalid_argument("only strings have dictionaries");
    out.push_back({vector.get(), by_lane, nullptr});
  }
  return out;
}

int64_t checked_rows(const Selection& selection, int64_t length) {
  if (!selection) return length;
  check_rows(selection->data(), int64_t(selection->size()), length);
  return int64_t(selection->size());
}

void update(GroupTable& table, const std::vector<VectorPtr>& keys, const std::vector<VectorPtr>& arguments, int64_t length,
            const Selection& selection, const Dense& dense) {
  nb::gil_scoped_release released;
  const int64_t n = checked_rows(selection, length);
  table.update(inputs_of(keys, length, n, {}), inputs_of(arguments, length, n, dense), selection ? selection->data() : nullptr, n);
}

ArrayOut<uint32_t> number(GroupTable& table, const std::vector<VectorPtr>& keys, const std::vector<VectorPtr>& arguments,
                          int64_t length, const Selection& selection, const Dense& dense) {
  BufferPtr numbers;
  int64_t n;
  {
    nb::gil_scoped_release released;
    n = checked_rows(selection, length);
    numbers = std::make_shared<Buffer>(size_t(n) * 4);
    table.update(inputs_of(keys, length, n, {}), inputs_of(arguments, length, n, dense), selection ? selection->data() : nullptr, n,
                 numbers->as<uint32_t>());
  }
  return to_numpy<uint32_t>(std::move(numbers), size_t(n));
}

void spread(GroupTable& table, const std::vector<VectorPtr>& arguments, int64_t length, const Selection& selection,
            const Dense& dense) {
  nb::gil_scoped_release released;
  const int64_t n = checked_rows(selection, length);
  table.spread(inputs_of(arguments, length, n, dense), selection ? selection->data() : nullptr, n, length);
}

void check_range(const GroupTable& table, int64_t from, int64_t n) {
  if (from < 0 || n < 0 || from + n > table.groups()) throw std::out_of_range("groups are exported that do not exist");
}

std::vector<VectorPtr> keys(GroupTable& table, int64_t from, int64_t n) {
  nb::gil_scoped_release released;
  check_range(table, from, n);
  std::vector<VectorPtr> out;
  for (int c = 0; c < table.key_count(); ++c) out.push_back(table.key(c, from, n));
  return out;
}

std::vector<VectorPtr> results(const GroupTable& table, int64_t from, int64_t n) {
  nb::gil_scoped_release released;
  check_range(table, from, n);
  std::vector<VectorPtr> out;
  for (int c = 0; c < table.call_count(); ++c) out.push_back(table.result(c, from, n));
  return out;
}

std::vector<VectorPtr> states(const GroupTable& table, int64_t from, int64_t n) {
  nb::gil_scoped_release released;
  check_range(table, from, n);
  return table.states(from, n);
}

}  // namespace

void register_group(nb::module_& m) {
  nb::class_<AggregateSpec>(m, "AggregateSpec")
      .def(
          "__init__",
          [](AggregateSpec* self, std::string function, std::vector<int> arguments, int filter, bool distinct,
             std::vector<std::string> formats, std::string result, bool merging) {
            new (self) AggregateSpec{std::move(function), std::move(arguments), filter, distinct, std::move(formats), std::move(result), merging};
          },
          nb::arg("function"), nb::arg("arguments"), nb::arg("filter"), nb::arg("distinct"), nb::arg("formats"), nb::arg("result"),
          nb::arg("merging"));
  nb::exception<AggregateOverflow>(m, "AggregateOverflow", PyExc_OverflowError);
  nb::register_exception_translator(
      [](const std::exception_ptr& pointer, void* type) {
        try {
          std::rethrow_exception(pointer);
        } catch (const AggregateOverflow& overflow) {
          nb::object error = nb::borrow<nb::object>(static_cast<PyObject*>(type))(overflow.what(), overflow.call);
          PyErr_SetObject(static_cast<PyObject*>(type), error.ptr());
        }
      },
      m.attr("AggregateOverflow").ptr());
  nb::class_<GroupTable>(m, "GroupTable", "Groups by key and their aggregates; single owner.")
      .def(nb::init<const std::vector<std::string>&, const std::vector<AggregateSpec>&>(), nb::arg("keys"), nb::arg("calls"))
      .def("update", &update, nb::arg("keys"), nb::arg("arguments"), nb::arg("length"), nb::arg("selection") = nb::none(),
           nb::arg("dense") = nb::none())
      .def("number", &number, nb::arg("keys"), nb::arg("arguments"), nb::arg("length"), nb::arg("selection") = nb::none(),
           nb::arg("dense") = nb::none())
      .def("spread", &spread, nb::arg("arguments"), nb::arg("length"), nb::arg("selection") = nb::none(), nb::arg("dense") = nb::none())
      .def("prepare", &GroupTable::prepare, nb::call_guard<nb::gil_scoped_release>())
      .def("keys", &keys)
      .def("results", &results)
      .def("states", &states)
      .def("clear", &GroupTable::clear)
      .def("bytes_after", &GroupTable::bytes_after)
      .def_prop_ro("groups", &GroupTable::groups)
      .def_prop_ro("bytes", &GroupTable::bytes);
}
