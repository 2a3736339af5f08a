// Join tables in Python; the typed wrapper is tableflow.columnar.kernels.joining.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "interpreter_lock.h"
#include "join_probe.h"
#include "numpy_array.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

using Rows = ArrayOut<uint32_t>;
using Selection = std::optional<ArrayIn<uint32_t>>;

std::vector<Input> inputs_of(const std::vector<VectorPtr>& vectors, int64_t length) {
  std::vector<Input> out;
  for (const auto& vector : vectors) {
    if (vector->length < length) throw std::out_of_range("a key column is shorter than its batch");
    out.push_back({vector.get(), false, nullptr});
  }
  return out;
}

void append(JoinRows& rows, const std::vector<VectorPtr>& keys, int64_t length, const Selection& selection,
            const std::optional<ArrayIn<uint8_t>>& only) {
  const Released released((selection ? int64_t(selection->size()) : length) * int64_t(keys.size()));
  if (selection) check_rows(selection->data(), int64_t(selection->size()), length);
  const int64_t n = selection ? int64_t(selection->size()) : length;
  if (only && int64_t(only->size()) != n) throw std::out_of_range("a mask has one byte per row");
  if (keys.size() != rows.keys().columns()) throw std::invalid_argument("all keys are needed");
  rows.append(inputs_of(keys, length), selection ? selection->data() : nullptr, n, only ? only->data() : nullptr);
}

// A probe with what it reads kept alive.
struct Probe {
  explicit Probe(std::shared_ptr<const JoinTable> table) : probe(std::move(table)) {}
  JoinProbe probe;
  std::vector<VectorPtr> keys;
  std::vector<uint32_t> rows;
};

void start(Probe& self, std::vector<VectorPtr> keys, int64_t length, const Selection& selection) {
  self.keys = std::move(keys);  // those before belong to Python, and are given back under its lock
  const Released released(selection ? int64_t(selection->size()) : length);
  int64_t n = length;
  self.rows.clear();
  if (selection) {
    n = int64_t(selection->size());
    check_rows(selection->data(), n, length);
    self.rows.assign(selection->data(), selection->data() + n);
  }
  self.probe.start(inputs_of(self.keys, length), selection ? self.rows.data() : nullptr, n);
}

nb::tuple next(Probe& self, int64_t limit, bool outer, std::optional<ArrayIn<uint8_t>> done,
               std::optional<ArrayIn<uint8_t>> marked) {
  auto lanes = std::make_shared<Buffer>(size_t(limit + 1) * 4), build = std::make_shared<Buffer>(size_t(limit + 1) * 4);
  int64_t n;
  {
    const Released released(self.probe.table().has_chains() ? limit : self.probe.lanes());
    if (done && int64_t(done->size()) < self.probe.lanes()) throw std::out_of_range("too few lanes");
    if (marked && int64_t(marked->size()) < self.probe.table().rows()) throw std::out_of_range("a mark is needed for each row");
    n = self.probe.next(limit, outer, done ? done->data() : nullptr, marked ? marked->data() : nullptr, lanes->as<uint32_t>(),
                        build->as<uint32_t>());
  }
  return nb::make_tuple(to_numpy<uint32_t>(lanes, size_t(n)), to_numpy<uint32_t>(build, size_t(n)));
}

Rows lanes(Probe& self, bool matched) {
  const int64_t n = self.probe.lanes();
  auto out = std::make_shared<Buffer>(size_t(n + 1) * 4);
  int64_t count = 0;
  {
    const Released released(n);
    const uint32_t* heads = self.probe.heads();
    for (int64_t i = 0; i < n; ++i) {
      out->as<uint32_t>()[count] = uint32_t(i);
      count += (heads[i] != no_row) == matched;
    }
  }
  return to_numpy<uint32_t>(out, size_t(count));
}

}  // namespace

void register_join(nb::module_& m) {
  nb::class_<JoinRows>(m, "JoinRows", "Keys that one task collected for the build side of a join.")
      .def(nb::init<const std::vector<std::string>&, const std::vector<uint8_t>&>(), nb::arg("keys"), nb::arg("null_safe"))
      .def("append", &append, nb::arg("keys"), nb::arg("length"), nb::arg("selection") = nb::none(), nb::arg("only") = nb::none())
      .def_prop_ro("exact", [](const JoinRows& rows) { return rows.keys().exact(); })
      .def_prop_ro("rows", &JoinRows::rows)
      .def_prop_ro("bytes", &JoinRows::bytes);
  nb::class_<JoinTable>(m, "JoinTable", "From keys to build rows; sealed part by part, then read-only.")
      .def(
          "__init__",
          [](JoinTable* self, std::vector<std::shared_ptr<JoinRows>> partials) {
            if (partials.empty()) throw std::invalid_argument("a join table is made of at least one partial");
            new (self) JoinTable({partials.begin(), partials.end()});
          },
          nb::arg("partials"))
      .def("seal", [](JoinTable& table, int part) {
        nb::gil_scoped_release released;
        if (part < 0 || part >= table.parts()) throw std::out_of_range("there is no such part");
        table.seal(part);
      })
      .def("finish", [](JoinTable& table, std::vector<VectorPtr> keys) { table.finish(std::move(keys)); })
      .def_prop_ro("parts", &JoinTable::parts)
      .def_prop_ro("rows", &JoinTable::rows)
      .def_prop_ro("entries", &JoinTable::entries)
      .def_prop_ro("exact", [](const JoinTable& table) { return table.keys().exact(); })
      .def_prop_ro("unique", [](const JoinTable& table) { return !table.has_chains(); })
      .def_prop_ro("direct", &JoinTable::direct)
      .def_prop_ro("bytes", &JoinTable::bytes)
      .def_static("bytes_for", &JoinTable::bytes_for);
  nb::class_<Probe>(m, "JoinProbe", "A cursor over the pairs of probe rows and build rows with equal keys.")
      .def("__init__", [](Probe* self, std::shared_ptr<JoinTable> table) { new (self) Probe(std::move(table)); }, nb::arg("table"))
      .def("start", &start, nb::arg("keys"), nb::arg("length"), nb::arg("selection") = nb::none())
      .def("next", &next, nb::arg("limit"), nb::arg("outer"), nb::arg("done") = nb::none(),
           nb::arg("marked") = nb::none())
      .def("lanes", &lanes, nb::arg("matched"))
      .def_prop_ro("exhausted", [](const Probe& self) { return self.probe.exhausted(); });
}
