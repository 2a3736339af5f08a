// Vector in Python: Arrow's PyCapsule interface in and out, and what becomes of times on their way in.
#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include "coarser.h"
#include "vector.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

VectorPtr from_arrow(nb::object array) {
  nb::tuple capsules = nb::cast<nb::tuple>(array.attr("__arrow_c_array__")());
  auto* schema = static_cast<ArrowSchema*>(PyCapsule_GetPointer(nb::object(capsules[0]).ptr(), "arrow_schema"));
  auto* data = static_cast<ArrowArray*>(PyCapsule_GetPointer(nb::object(capsules[1]).ptr(), "arrow_array"));
  if (!schema || !data) throw nb::python_error();
  return import_vector(schema, data);
}

void drop_schema(PyObject* capsule) {
  auto* s = static_cast<ArrowSchema*>(PyCapsule_GetPointer(capsule, "arrow_schema"));
  if (s->release) s->release(s);
  delete s;
}
void drop_array(PyObject* capsule) {
  auto* a = static_cast<ArrowArray*>(PyCapsule_GetPointer(capsule, "arrow_array"));
  if (a->release) a->release(a);
  delete a;
}

nb::tuple to_arrow(const VectorPtr& v, nb::object) {
  auto* schema = new ArrowSchema{};
  auto* array = new ArrowArray{};
  export_vector(v, schema, array);
  return nb::make_tuple(nb::steal(PyCapsule_New(schema, "arrow_schema", drop_schema)),
                        nb::steal(PyCapsule_New(array, "arrow_array", drop_array)));
}

}  // namespace

void register_vector(nb::module_& m) {
  nb::class_<Vector>(m, "Vector", "A column's values as kernels see them: Arrow memory, pointers resolved.")
      .def(nb::new_(&from_arrow), nb::arg("array"))
      .def("__arrow_c_array__", [](VectorPtr v, nb::object schema) { return to_arrow(v, schema); },
           nb::arg("requested_schema") = nb::none())
      .def("__len__", [](const Vector& v) { return v.length; })
      .def_ro("null_count", &Vector::null_count)
      .def_ro("nbytes", &Vector::nbytes)
      .def_ro("format", &Vector::format)
      .def("allow_keeping", [](Vector& v) { (v.dictionary ? *v.dictionary : v).keepable = true; })
      .def_prop_ro("dictionary", [](const Vector& v) { return v.dictionary; });
  m.def("coarser", &coarser, nb::arg("times"), nb::arg("quotient"), nb::arg("factor"), nb::arg("format"),
        nb::call_guard<nb::gil_scoped_release>());
}
