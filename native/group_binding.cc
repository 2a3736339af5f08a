// GroupTable in Python; the typed wrapper is tableflow.columnar.kernels.grouping.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "group_arguments.h"
#include "group_table.h"
#include "interpreter_lock.h"
#include "numpy_array.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

void update(GroupTable& table, const std::vector<VectorPtr>& keys, const std::vector<VectorPtr>& arguments, int64_t length,
            const Selection& selection, const Dense& dense, const Weights& weights) {
  const Released released(selection ? int64_t(selection->size()) : length);
  const int64_t n = checked_rows(selection, length);
  table.update(inputs_of(keys, length, n, {}), inputs_of(arguments, length, n, dense), selection ? selection->data() : nullptr, n,
               nullptr, checked_weights(weights, length));
}

ArrayOut<uint32_t> number(GroupTable& table, const std::vector<VectorPtr>& keys, const std::vector<VectorPtr>& arguments,
                          int64_t length, const Selection& selection, const Dense& dense, const Weights& weights) {
  BufferPtr numbers;
  int64_t n;
  {
    nb::gil_scoped_release released;
    n = checked_rows(selection, length);
    numbers = std::make_shared<Buffer>(size_t(n) * 4);
    table.update(inputs_of(keys, length, n, {}), inputs_of(arguments, length, n, dense), selection ? selection->data() : nullptr, n,
                 numbers->as<uint32_t>(), checked_weights(weights, length));
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

std::vector<VectorPtr> keys_of(GroupTable& table, const Groups& of) {
  std::vector<VectorPtr> out;
  for (int c = 0; c < table.key_count(); ++c) out.push_back(table.key(c, of));
  return out;
}

std::vector<VectorPtr> results_of(const GroupTable& table, const Groups& of) {
  std::vector<VectorPtr> out;
  for (int c = 0; c < table.call_count(); ++c) out.push_back(table.result(c, of));
  return out;
}

Groups checked_groups(const GroupTable& table, const ArrayIn<uint32_t>& numbers) {
  check_rows(numbers.data(), int64_t(numbers.size()), table.groups());
  return Groups(numbers.data(), int64_t(numbers.size()));
}

std::vector<VectorPtr> keys(GroupTable& table, int64_t from, int64_t n) {
  const Released released(n);
  check_range(table, from, n);
  return keys_of(table, Groups(from, n));
}

VectorPtr key(GroupTable& table, int column, int64_t from, int64_t n) {
  const Released released(n);
  check_range(table, from, n);
  if (column < 0 || column >= table.key_count()) throw std::out_of_range("a key the table does not have");
  return table.key(column, Groups(from, n));
}

std::vector<VectorPtr> results(const GroupTable& table, int64_t from, int64_t n) {
  const Released released(n);
  check_range(table, from, n);
  return results_of(table, Groups(from, n));
}

VectorPtr result(const GroupTable& table, int call, int64_t from, int64_t n) {
  const Released released(n);
  check_range(table, from, n);
  if (call < 0 || call >= table.call_count()) throw std::out_of_range("a call the table does not have");
  return table.result(call, Groups(from, n));
}

std::vector<VectorPtr> states(const GroupTable& table, int64_t from, int64_t n) {
  const Released released(n);
  check_range(table, from, n);
  return table.states(Groups(from, n));
}

std::vector<VectorPtr> listed_keys(GroupTable& table, const ArrayIn<uint32_t>& numbers) {
  const Released released(int64_t(numbers.size()));
  return keys_of(table, checked_groups(table, numbers));
}

std::vector<VectorPtr> listed_results(const GroupTable& table, const ArrayIn<uint32_t>& numbers) {
  const Released released(int64_t(numbers.size()));
  return results_of(table, checked_groups(table, numbers));
}

std::vector<VectorPtr> listed_states(const GroupTable& table, const ArrayIn<uint32_t>& numbers) {
  const Released released(int64_t(numbers.size()));
  return table.states(checked_groups(table, numbers));
}

ArrayOut<uint32_t> absorb(GroupTable& table, GroupTable& other, const ArrayIn<uint32_t>& numbers,
                          const std::optional<std::vector<VectorPtr>>& keys) {
  BufferPtr to;
  {
    nb::gil_scoped_release released;
    const Groups of = checked_groups(other, numbers);
    if (&table == &other) throw std::invalid_argument("a table cannot absorb itself");
    if (keys && (int(keys->size()) != table.key_count())) throw std::invalid_argument("a key is missing");
    if (keys)
      for (const auto& key : *keys)
        if (key->length != of.n) throw std::out_of_range("every group that is moved has a key");
    to = std::make_shared<Buffer>(size_t(of.n) * 4);
    table.absorb(other, of.numbers, of.n, to->as<uint32_t>(), keys ? &*keys : nullptr);
  }
  return to_numpy<uint32_t>(std::move(to), numbers.size());
}

ArrayOut<uint32_t> locate(GroupTable& table, const std::vector<VectorPtr>& keys, int64_t length) {
  BufferPtr numbers;
  {
    nb::gil_scoped_release released;
    numbers = std::make_shared<Buffer>(size_t(length) * 4);
    table.locate(inputs_of(keys, length, length, {}), length, numbers->as<uint32_t>());
  }
  return to_numpy<uint32_t>(std::move(numbers), size_t(length));
}

void retain(GroupTable& table, const ArrayIn<uint32_t>& numbers) {
  nb::gil_scoped_release released;
  const Groups of = checked_groups(table, numbers);
  table.retain(of.numbers, of.n);
}

ArrayOut<bool> vacant(const GroupTable& table, const ArrayIn<uint32_t>& numbers) {
  auto mask = std::make_shared<Buffer>(numbers.size());
  const Groups of = checked_groups(table, numbers);
  for (int64_t i = 0; i < of.n; ++i) mask->as<bool>()[i] = table.vacant(of[i]);
  return to_numpy<bool>(std::move(mask), numbers.size());
}

nb::bytes save(const GroupTable& table) {
  std::string bytes;
  {
    nb::gil_scoped_release released;
    bytes = table.save();
  }
  return nb::bytes(bytes.data(), bytes.size());
}

void load(GroupTable& table, const std::vector<VectorPtr>& keys, int64_t groups, const std::vector<std::vector<VectorPtr>>& sets,
          const nb::bytes& state) {
  const std::string_view bytes(state.c_str(), state.size());
  nb::gil_scoped_release released;
  for (const auto& key : keys)
    if (key->length != groups) throw std::invalid_argument("a saved state is damaged");
  for (const auto& set : sets)
    for (const auto& column : set)
      if (column->length != set.front()->length) throw std::invalid_argument("a saved state is damaged");
  table.load(keys, groups, sets, bytes);
}

}  // namespace

void register_group(nb::module_& m) {
  nb::class_<AggregateSpec>(m, "AggregateSpec")
      .def(
          "__init__",
          [](AggregateSpec* self, std::string function, std::vector<int> arguments, int filter, bool distinct,
             std::vector<std::string> formats, std::string result, bool merging, bool changing) {
            new (self) AggregateSpec{std::move(function), std::move(arguments), filter,  distinct,
                                     std::move(formats),  std::move(result),    merging, changing};
          },
          nb::arg("function"), nb::arg("arguments"), nb::arg("filter"), nb::arg("distinct"), nb::arg("formats"), nb::arg("result"),
          nb::arg("merging"), nb::arg("changing"));
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
           nb::arg("dense") = nb::none(), nb::arg("weights") = nb::none())
      .def("number", &number, nb::arg("keys"), nb::arg("arguments"), nb::arg("length"), nb::arg("selection") = nb::none(),
           nb::arg("dense") = nb::none(), nb::arg("weights") = nb::none())
      .def("spread", &spread, nb::arg("arguments"), nb::arg("length"), nb::arg("selection") = nb::none(), nb::arg("dense") = nb::none())
      .def("prepare",
           [](GroupTable& table, int64_t rows, int64_t nanoseconds) { return table.prepare(rows, Deadline(nanoseconds)); },
           nb::arg("rows"), nb::arg("nanoseconds") = Deadline::usual, nb::call_guard<nb::gil_scoped_release>())
      .def("keys", &keys)
      .def("key", &key, nb::arg("column"), nb::arg("start"), nb::arg("count"))
      .def("results", &results)
      .def("result", &result, nb::arg("call"), nb::arg("start"), nb::arg("count"))
      .def("states", &states)
      .def("listed_keys", &listed_keys)
      .def("listed_results", &listed_results)
      .def("listed_states", &listed_states)
      .def("absorb", &absorb, nb::arg("other"), nb::arg("numbers"), nb::arg("keys") = nb::none())
      .def("locate", &locate, nb::arg("keys"), nb::arg("length"))
      .def("retain", &retain)
      .def("vacant", &vacant)
      .def("distinct_values", &GroupTable::distinct_values)
      .def("save", &save)
      .def("load", &load, nb::arg("keys"), nb::arg("groups"), nb::arg("sets"), nb::arg("state"))
      .def("clear", &GroupTable::clear)
      .def("bytes_after", &GroupTable::bytes_after)
      .def_prop_ro("groups", &GroupTable::groups)
      .def_prop_ro("bytes", &GroupTable::bytes);
}
