// Records (tableflow/records.py) that are made, changed, compared and hashed without the interpreter.
//
// A frozen dataclass with slots pays for each instance a call of __new__, a frame for __init__, and a call of a descriptor
// for every field; planning one query makes thousands.  Here the class is called through its vectorcall, which CPython looks
// for first, and the slots are written where they lie.  What is unusual (an argument that is missing or unknown) is left to
// the class's own __init__, which has the words for it.
//
// Invariants: results are those of the methods that tableflow/records.py writes for the same class; the garbage collector
// sees every instance that can ever be part of a cycle, and none that cannot as far as that is told at a glance.  Only a build for one
// version of Python knows types from the inside; one for the stable interface has none of this, and Python does it all.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

#if !defined(Py_LIMITED_API) && !defined(Py_GIL_DISABLED)

#include <nanobind/stl/string_view.h>
#include <structmember.h>

#include <bit>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

enum class Otherwise { kMissing, kValue, kFactory, kUnset };

struct Member {
  PyObject* name;  // interned
  Py_ssize_t offset;
  Otherwise otherwise;  // what it is where it is not given
  PyObject* value;
  bool given;  // a parameter
  bool compared;
  bool hashed;
};

struct Layout {
  std::vector<Member> members;
  std::vector<Py_ssize_t> positional;  // places of members
  PyObject* after = nullptr;           // __post_init__
  Py_ssize_t hashed = 0;
  bool made = false;    // __init__ is done here
  bool frozen = false;  // and there is nothing of an instance but its fields
};

// Classes that were adopted live as long as the process, as modules do.
std::unordered_map<PyTypeObject*, std::unique_ptr<Layout>>& known() {
  static auto* all = new std::unordered_map<PyTypeObject*, std::unique_ptr<Layout>>();
  return *all;
}

Layout* layout_of(PyTypeObject* type) {
  auto found = known().find(type);
  return found == known().end() ? nullptr : found->second.get();
}

PyObject*& slot(PyObject* of, const Member& member) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(of) + member.offset);
}

// The parameter of this name; the search goes on from the one that was found before, as arguments come in order.
Py_ssize_t place_of(const Layout& layout, PyObject* name, Py_ssize_t from) {
  const Py_ssize_t count = static_cast<Py_ssize_t>(layout.members.size());
  for (Py_ssize_t n = 0, i = from; n < count; ++n, ++i) {
    if (i >= count) i = 0;
    if (layout.members[i].name == name) return layout.members[i].given ? i : -1;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {  // a name that is not interned
    if (layout.members[i].given && PyUnicode_Compare(layout.members[i].name, name) == 0) return i;
  }
  return -1;
}

// As type.__call__ does it, through __init__ in Python.
PyObject* called_slowly(PyObject* type, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  PyObject* positional = PyTuple_New(count);
  if (positional == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(positional, i, Py_NewRef(args[i]));
  PyObject* named = names == nullptr ? nullptr : PyDict_New();
  bool well = names == nullptr || named != nullptr;
  for (Py_ssize_t i = 0; well && names != nullptr && i < PyTuple_GET_SIZE(names); ++i) {
    well = PyDict_SetItem(named, PyTuple_GET_ITEM(names, i), args[count + i]) == 0;
  }
  PyObject* made = well ? PyType_Type.tp_call(type, positional, named) : nullptr;
  Py_DECREF(positional);
  Py_XDECREF(named);
  return made;
}

// Gives what was not given a value; false with an error set, or without one if an argument is missing.
bool complete(const Layout& layout, PyObject* self) {
  for (const Member& member : layout.members) {
    PyObject*& place = slot(self, member);
    if (place != nullptr) continue;
    switch (member.otherwise) {
      case Otherwise::kMissing:
        return false;
      case Otherwise::kValue:
        place = Py_NewRef(member.value);
        break;
      case Otherwise::kFactory:
        place = PyObject_CallNoArgs(member.value);
        if (place == nullptr) return false;
        break;
      case Otherwise::kUnset:
        break;
    }
  }
  if (layout.after == nullptr) return true;
  PyObject* nothing = PyObject_CallOneArg(layout.after, self);
  Py_XDECREF(nothing);
  return nothing != nullptr;
}

// Members of enumerations live as long as these do, which is as long as the program.
PyTypeObject* enumerations = nullptr;

PyObject* make(PyObject* callable, PyObject* const* args, size_t flagged, PyObject* names);

bool all_settled(PyObject* const* values, Py_ssize_t count, int depth);

// Whether nothing that is reached from here can ever refer to what is made now: it was there before, and does not change.
// Tuples and frozen sets of such values are left alone by the garbage collector from now on, as CPython does it with tuples
// of numbers and texts.
bool is_settled(PyObject* value, int depth) {
  PyTypeObject* type = Py_TYPE(value);
  if (!PyObject_IS_GC(value) || Py_TYPE(type) == enumerations) return true;
  const bool tracked = PyObject_GC_IsTracked(value) != 0;
  if (type->tp_vectorcall == make) return !tracked;  // nobody but `looked_at_never` takes a record from the collector
  if (type == &PyTuple_Type) {
    if (!tracked) return true;
    if (depth == 0 || !all_settled(&PyTuple_GET_ITEM(value, 0), PyTuple_GET_SIZE(value), depth - 1)) return false;
  } else if (type == &PyFrozenSet_Type) {
    if (!tracked) return true;
    if (depth == 0) return false;
    Py_ssize_t place = 0;
    PyObject* each;
    Py_hash_t hash;
    while (_PySet_NextEntry(value, &place, &each, &hash)) {
      if (!is_settled(each, depth - 1)) return false;
    }
  } else {
    return false;
  }
  PyObject_GC_UnTrack(value);
  return true;
}

bool all_settled(PyObject* const* values, Py_ssize_t count, int depth) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (values[i] == nullptr || !is_settled(values[i], depth)) return false;
  }
  return true;
}

// A frozen record of settled values is in no cycle: thousands of objects that a plan consists of, which refer to each other
// but never back, would be gone through by the garbage collector for nothing.
PyObject* looked_at_never(const Layout& layout, PyObject* self) {
  constexpr int kDepth = 3;
  if (!layout.frozen || !PyObject_GC_IsTracked(self)) return self;
  for (const Member& member : layout.members) {
    PyObject* value = slot(self, member);
    if (value == nullptr || !is_settled(value, kDepth)) return self;
  }
  PyObject_GC_UnTrack(self);
  return self;
}

PyObject* make(PyObject* callable, PyObject* const* args, size_t flagged, PyObject* names) {
  auto* type = reinterpret_cast<PyTypeObject*>(callable);
  const Py_ssize_t count = PyVectorcall_NARGS(flagged);
  const Layout* layout = layout_of(type);
  if (layout == nullptr || count > static_cast<Py_ssize_t>(layout->positional.size())) {
    return called_slowly(callable, args, count, names);
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    slot(self, layout->members[layout->positional[i]]) = Py_NewRef(args[i]);
  }
  bool well = true;
  if (names != nullptr) {
    Py_ssize_t place = count - 1;
    for (Py_ssize_t i = 0; well && i < PyTuple_GET_SIZE(names); ++i) {
      place = place_of(*layout, PyTuple_GET_ITEM(names, i), place + 1);
      well = place >= 0 && slot(self, layout->members[place]) == nullptr;
      if (well) slot(self, layout->members[place]) = Py_NewRef(args[count + i]);
    }
  }
  if (well && complete(*layout, self)) return looked_at_never(*layout, self);
  Py_DECREF(self);
  return PyErr_Occurred() ? nullptr : called_slowly(callable, args, count, names);
}

// replace(of, /, **changes); `fallback` is the same in Python, for all other classes.
PyObject* replace(PyObject* fallback, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count != 1) return PyObject_Vectorcall(fallback, args, count, names);
  PyObject* of = args[0];
  const Layout* layout = layout_of(Py_TYPE(of));
  if (layout == nullptr || !layout->made) return PyObject_Vectorcall(fallback, args, count, names);
  PyTypeObject* type = Py_TYPE(of);
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  bool well = true;
  Py_ssize_t place = -1;
  for (Py_ssize_t i = 0; well && names != nullptr && i < PyTuple_GET_SIZE(names); ++i) {
    place = place_of(*layout, PyTuple_GET_ITEM(names, i), place + 1);
    well = place >= 0;
    if (well) slot(self, layout->members[place]) = Py_NewRef(args[1 + i]);
  }
  for (const Member& member : layout->members) {
    if (!well) break;
    PyObject*& to = slot(self, member);
    if (to != nullptr || !member.given) continue;
    PyObject* value = slot(of, member);
    well = value != nullptr;
    if (well) to = Py_NewRef(value);
  }
  if (well && complete(*layout, self)) return looked_at_never(*layout, self);
  Py_DECREF(self);
  return PyErr_Occurred() ? nullptr : PyObject_Vectorcall(fallback, args, count, names);
}

// A field's value, kept while Python compares or hashes it; an error as for any attribute if it has none.
nb::object value_of(PyObject* self, const Member& member) {
  PyObject* value = slot(self, member);
  return value != nullptr ? nb::borrow(value) : nb::steal(PyObject_GetAttr(self, member.name));
}

// As of the tuple of the values (Objects/tupleobject.c), so that it does not matter who asks.
Py_hash_t hash(PyObject* self) {
  constexpr Py_uhash_t kFirst = 11400714785074694791ULL, kSecond = 14029467366897019727ULL, kFifth = 2870177450012600261ULL;
  if (Py_EnterRecursiveCall(" while hashing a record") != 0) return -1;
  const Layout& layout = *layout_of(Py_TYPE(self));
  Py_uhash_t sum = kFifth;
  bool well = true;
  for (const Member& member : layout.members) {
    if (!member.hashed) continue;
    const nb::object value = value_of(self, member);
    const Py_hash_t lane = value.is_valid() ? PyObject_Hash(value.ptr()) : -1;
    well = lane != -1;
    if (!well) break;
    sum += static_cast<Py_uhash_t>(lane) * kSecond;
    sum = std::rotl(sum, 31) * kFirst;
  }
  Py_LeaveRecursiveCall();
  if (!well) return -1;
  sum += static_cast<Py_uhash_t>(layout.hashed) ^ (kFifth ^ 3527539ULL);
  return sum == static_cast<Py_uhash_t>(-1) ? 1546275796 : static_cast<Py_hash_t>(sum);
}

PyObject* compare(PyObject* self, PyObject* other, int operation) {
  if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(self) != Py_TYPE(other)) Py_RETURN_NOTIMPLEMENTED;
  int equal = 1;
  if (self != other) {
    for (const Member& member : layout_of(Py_TYPE(self))->members) {
      if (!member.compared) continue;
      const nb::object mine = value_of(self, member);
      const nb::object others = mine.is_valid() ? value_of(other, member) : nb::object();
      if (!others.is_valid()) return nullptr;
      equal = PyObject_RichCompareBool(mine.ptr(), others.ptr(), Py_EQ);
      if (equal < 0) return nullptr;
      if (equal == 0) break;
    }
  }
  return PyBool_FromLong((operation == Py_EQ) == (equal == 1));
}

// Fields are (name, descriptor of the slot, is a parameter, also by position, is compared, is hashed, what it is where it is
// not given: "missing", "value", "factory" or "unset", and that value); nobody changes an instance that is `frozen`.  False
// if it is no class that is understood here.
bool adopt(nb::type_object cls, nb::list fields, nb::object after, bool frozen) {
  auto* type = reinterpret_cast<PyTypeObject*>(cls.ptr());
  if (layout_of(type) != nullptr) return true;  // another thread was first, and may be reading what is known
  if (Py_TYPE(cls.ptr()) != &PyType_Type || type->tp_new != PyBaseObject_Type.tp_new) return false;
  auto layout = std::make_unique<Layout>();
  for (nb::handle each : fields) {
    auto told = nb::cast<nb::tuple>(each);
    PyObject* descriptor = told[1].ptr();
    if (Py_TYPE(descriptor) != &PyMemberDescr_Type) return false;
    const PyMemberDef* slot = reinterpret_cast<PyMemberDescrObject*>(descriptor)->d_member;
    if (slot->type != T_OBJECT_EX) return false;
    const auto otherwise = nb::cast<std::string_view>(told[6]);
    PyObject* name = Py_NewRef(told[0].ptr());
    PyUnicode_InternInPlace(&name);
    Member member{name, slot->offset, Otherwise::kUnset, Py_NewRef(told[7].ptr()), nb::cast<bool>(told[2]),
                  nb::cast<bool>(told[4]), nb::cast<bool>(told[5])};
    if (otherwise == "missing") member.otherwise = Otherwise::kMissing;
    if (otherwise == "value") member.otherwise = Otherwise::kValue;
    if (otherwise == "factory") member.otherwise = Otherwise::kFactory;
    if (nb::cast<bool>(told[3])) layout->positional.push_back(static_cast<Py_ssize_t>(layout->members.size()));
    layout->hashed += member.hashed;
    layout->members.push_back(member);
  }
  if (!after.is_none()) layout->after = after.release().ptr();
  layout->frozen = frozen && type->tp_dictoffset == 0 && type->tp_weaklistoffset == 0;
  Py_INCREF(type);
  known()[type] = std::move(layout);
  return true;
}

// From now on the method of an adopted class is done here.
void take_over(nb::type_object cls, std::string_view method) {
  auto* type = reinterpret_cast<PyTypeObject*>(cls.ptr());
  if (method == "__init__") {
    layout_of(type)->made = true;
    type->tp_vectorcall = make;
  } else if (method == "__hash__") {
    type->tp_hash = hash;
  } else if (method == "__eq__") {
    type->tp_richcompare = compare;
  }
}

// What Python has made is looked at here, too.
void settle(nb::handle self) {
  if (const Layout* layout = layout_of(Py_TYPE(self.ptr()))) looked_at_never(*layout, self.ptr());
}

nb::object replacing(nb::object fallback) {
  static PyMethodDef definition = {
      "replace", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(replace)), METH_FASTCALL | METH_KEYWORDS,
      "A copy of a record with some fields changed."};
  return nb::steal(PyCFunction_New(&definition, fallback.ptr()));
}

}  // namespace

void register_records(nb::module_& m) {
  m.def("adopt_record", adopt, nb::arg("cls"), nb::arg("fields"), nb::arg("after").none(), nb::arg("frozen"));
  m.def("take_over", take_over);
  m.def("settle", settle);
  nb::object enumeration = nb::module_::import_("enum").attr("EnumMeta");
  enumerations = reinterpret_cast<PyTypeObject*>(enumeration.release().ptr());
  m.def("replacing", replacing);
}

#else

void register_records(nb::module_&) {}

#endif
