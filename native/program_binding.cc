// Programs in Python: built from plain lists, run with the GIL released.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "numpy_array.h"
#include "program_group.h"

using namespace tableflow;
using namespace tableflow::program;

namespace {

Reg reg_of(const std::string& name) {
  const char* names[REG_KINDS] = {"bool", "i32", "i64", "i128", "f64", "str"};
  for (int k = 0; k < REG_KINDS; ++k)
    if (name == names[k]) return Reg(k);
  throw std::invalid_argument("damaged program: unknown register kind '" + name + "'");
}

int128 integer_of(nb::handle value) {  // by its decimal digits: there is no other way for 128 bits in the stable ABI
  const std::string digits = nb::cast<std::string>(nb::str(value));
  unsigned __int128 magnitude = 0;
  const bool negative = digits.rfind('-', 0) == 0;
  if (digits.size() > 40) throw std::invalid_argument("damaged program: integer out of range");
  for (size_t i = negative; i < digits.size(); ++i) magnitude = magnitude * 10 + unsigned(digits[i] - '0');
  if (magnitude >> 127) throw std::invalid_argument("damaged program: integer out of range");
  return negative ? -int128(magnitude) : int128(magnitude);
}

Immediate immediate_of(nb::handle value) {
  Immediate m;
  if (value.is_none()) return m;
  if (PyBool_Check(value.ptr())) {
    m.kind = Immediate::Integer;
    m.integer = nb::cast<bool>(value);
  } else if (PyLong_Check(value.ptr())) {
    m.kind = Immediate::Integer;
    m.integer = integer_of(value);
  } else if (PyFloat_Check(value.ptr())) {
    m.kind = Immediate::Real;
    m.real = nb::cast<double>(value);
  } else if (PyBytes_Check(value.ptr())) {
    const auto bytes = nb::cast<nb::bytes>(value);
    m.kind = Immediate::Text;
    m.text.assign(bytes.c_str(), bytes.size());
  } else {
    m.kind = Immediate::Text;
    m.text = nb::cast<std::string>(value);
  }
  return m;
}

// (op, out, args, immediates, error)
Instruction instruction_of(nb::handle item) {
  const auto t = nb::cast<nb::tuple>(item);
  if (t.size() != 5) throw std::invalid_argument("damaged program: an instruction has five parts");
  Instruction in;
  in.op = nb::cast<std::string>(t[0]);
  in.out = nb::cast<int>(t[1]);
  in.args = nb::cast<std::vector<int>>(t[2]);
  for (nb::handle value : nb::cast<nb::tuple>(t[3])) in.immediates.push_back(immediate_of(value));
  in.error = nb::cast<Code>(t[4]);
  return in;
}

// (column, register, format)
Output output_of(nb::handle item) {
  const auto t = nb::cast<nb::tuple>(item);
  if (t.size() != 3) throw std::invalid_argument("damaged program: an output has three parts");
  return {nb::cast<int>(t[0]), nb::cast<int>(t[1]), nb::cast<std::string>(t[2])};
}

std::vector<VectorPtr> vectors_of(nb::list columns) {
  std::vector<VectorPtr> vectors;
  for (nb::handle c : columns) vectors.push_back(c.is_none() ? nullptr : nb::cast<VectorPtr>(c));
  return vectors;
}

nb::object numpy(std::vector<uint32_t>&& rows) {
  auto* owned = new std::vector<uint32_t>(std::move(rows));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<uint32_t>*>(p); });
  return nb::cast(ArrayOut<uint32_t>(owned->data(), {owned->size()}, owner));
}

}  // namespace

void register_program(nb::module_& m) {
  nb::class_<Result>(m, "ProgramResult", "What a program gave for one batch.")
      .def_ro("columns", &Result::columns)
      .def_prop_ro("selection", [](Result& r) { return numpy(std::move(r.selection)); }, "Rows kept; may be taken once.")
      .def_ro("dropped", &Result::dropped)
      .def_ro("compact", &Result::compact)
      .def_ro("rows", &Result::rows)
      .def_ro("failed", &Result::failed)
      .def_ro("failed_row", &Result::failed_row);
  m.def("instruction_fits", [](const std::string& op, const nb::tuple& immediates) {
    Instruction in;
    in.op = op;
    for (nb::handle value : immediates) in.immediates.push_back(immediate_of(value));
    const auto found = op_table().find(op);
    if (found == op_table().end()) return false;
    try {
      if (found->second.prepare) found->second.prepare(in);
    } catch (const std::invalid_argument&) {
      return false;
    }
    return true;
  }, nb::arg("op"), nb::arg("immediates"));
  nb::class_<Program>(m, "Program", "A loaded expression program with its scratch memory; single-owner.")
      .def("__init__",
           [](Program* self, const std::vector<std::string>& registers, nb::list code, nb::list outputs, int inputs, int errors) {
             std::vector<Reg> kinds;
             for (const auto& name : registers) kinds.push_back(reg_of(name));
             std::vector<Instruction> instructions;
             for (nb::handle item : code) instructions.push_back(instruction_of(item));
             std::vector<Output> results;
             for (nb::handle item : outputs) results.push_back(output_of(item));
             new (self) Program(std::move(kinds), std::move(instructions), std::move(results), inputs, errors);
           },
           nb::arg("registers"), nb::arg("code"), nb::arg("outputs"), nb::arg("inputs"), nb::arg("errors"))
      .def("run",
           [](Program& self, nb::list columns, int64_t length, std::optional<ArrayIn<uint32_t>> selection, bool numbered) {
             const auto vectors = vectors_of(columns);
             nb::gil_scoped_release release;
             return self.run(vectors, length, selection ? selection->data() : nullptr, selection ? int64_t(selection->shape(0)) : 0,
                             numbered);
           },
           nb::arg("columns"), nb::arg("length"), nb::arg("selection").none(), nb::arg("numbered"))
      .def("feed",
           [](Program& self, nb::list columns, int64_t length, std::optional<ArrayIn<uint32_t>> selection, GroupTable& table,
              std::vector<int> keys, std::vector<int> arguments) {
             const auto vectors = vectors_of(columns);
             nb::gil_scoped_release release;
             GroupSink sink(self, vectors, table, std::move(keys), std::move(arguments));
             return self.feed(vectors, length, selection ? selection->data() : nullptr, selection ? int64_t(selection->shape(0)) : 0, sink);
           },
           nb::arg("columns"), nb::arg("length"), nb::arg("selection").none(), nb::arg("table"), nb::arg("keys"),
           nb::arg("arguments"));
}
