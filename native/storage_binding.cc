// What writers of files need, in Python: narrowing, bounds, dictionaries, distinct hashes.
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include "distinct.h"
#include "hash_lookup.h"
#include "narrow.h"
#include "numpy_array.h"
#include "text_codes.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

nb::object integer(int128 value) {
  if (int128(int64_t(value)) == value) return nb::int_(int64_t(value));
  const bool negative = value < 0;
  auto left = negative ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  char text[48];
  char* at = text + sizeof text - 1;
  *at = 0;
  for (; left; left /= 10) *--at = char('0' + int(left % 10));
  if (negative) *--at = '-';
  PyObject* made = PyLong_FromString(at, nullptr, 10);
  if (!made) throw nb::python_error();
  return nb::steal(made);
}

nb::object bytes(bool any, std::string_view text) {
  return any ? nb::object(nb::bytes(text.data(), text.size())) : nb::object(nb::none());
}

nb::tuple narrow_columns(const std::vector<VectorPtr>& pieces, bool keep) {
  Narrowed result;
  {
    nb::gil_scoped_release released;
    result = narrow(pieces, keep);
  }
  if (!result.any) return nb::make_tuple(result.values, nb::none(), nb::none());
  return nb::make_tuple(result.values, integer(result.low), integer(result.high));
}

nb::tuple bounds_of_reals(const VectorPtr& column) {
  RealBounds found;
  {
    nb::gil_scoped_release released;
    found = real_bounds(*column);
  }
  if (!found.any) return nb::make_tuple(nb::none(), nb::none(), found.nan);
  return nb::make_tuple(found.low, found.high, found.nan);
}

nb::tuple bounds_of_text(const VectorPtr& column) {
  TextBounds found;
  {
    nb::gil_scoped_release released;
    found = text_bounds(*column);
  }
  return nb::make_tuple(bytes(found.any, found.low), bytes(found.any, found.high));
}

nb::tuple add_codes(TextCodes& self, const std::vector<VectorPtr>& pieces) {
  TextCodes::Chunk chunk;
  {
    nb::gil_scoped_release released;
    chunk = self.add(pieces);
  }
  return nb::make_tuple(chunk.codes, bytes(chunk.any, chunk.low), bytes(chunk.any, chunk.high), chunk.text_bytes);
}

ArrayOut<uint64_t> sorted_hashes(DistinctHashes& self) {
  const auto hashes = self.hashes();
  auto buffer = std::make_shared<Buffer>(hashes.size() * 8);
  std::copy(hashes.begin(), hashes.end(), buffer->as<uint64_t>());
  return to_numpy<uint64_t>(std::move(buffer), hashes.size());
}

nb::tuple ranges_of(ArrayIn<uint64_t> hashes, ArrayIn<uint64_t> probes) {
  const size_t n = probes.size();
  auto first = std::make_shared<Buffer>(n * 8), count = std::make_shared<Buffer>(n * 8);
  {
    nb::gil_scoped_release released;
    equal_ranges({hashes.data(), hashes.size()}, {probes.data(), n}, first->as<int64_t>(), count->as<int64_t>());
  }
  return nb::make_tuple(to_numpy<int64_t>(std::move(first), n), to_numpy<int64_t>(std::move(count), n));
}

}  // namespace

void register_storage(nb::module_& m) {
  m.def("narrow", &narrow_columns, nb::arg("pieces"), nb::arg("keep"));
  m.def("real_bounds", &bounds_of_reals, nb::arg("column"));
  m.def("text_bounds", &bounds_of_text, nb::arg("column"));
  m.def("equal_ranges", &ranges_of, nb::arg("hashes"), nb::arg("probes"));
  nb::class_<TextCodes>(m, "TextCodes")
      .def(nb::init<>())
      .def("add", &add_codes, nb::arg("pieces"))
      .def_prop_ro("entries", &TextCodes::entries)
      .def_prop_ro("entry_bytes", &TextCodes::entry_bytes)
      .def("dictionary", &TextCodes::dictionary, nb::arg("binary"));
  nb::class_<DistinctHashes>(m, "DistinctHashes")
      .def(nb::init<int64_t>(), nb::arg("k"))
      .def("update", [](DistinctHashes& self, const VectorPtr& vector) {
        nb::gil_scoped_release released;
        self.update(*vector);
      }, nb::arg("column"))
      .def("hashes", &sorted_hashes)
      .def_prop_ro("theta", &DistinctHashes::theta);
}
