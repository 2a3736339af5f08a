// Decoders of text in Python: definitions of columns in, vectors and the parts of nested columns out.
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>

#include "csv_records.h"
#include "json_lines.h"
#include "numpy_array.h"
#include "text_scan.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

// Bytes of any object that has them, for as long as this lives.
class Bytes {
 public:
  explicit Bytes(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE)) throw nb::python_error();
  }
  ~Bytes() { PyBuffer_Release(&view_); }
  Bytes(const Bytes&) = delete;
  const uint8_t* data() const { return static_cast<const uint8_t*>(view_.buf); }
  int64_t size() const { return view_.len; }

 private:
  Py_buffer view_;
};

TextKind kind_of(const std::string& name) {
  static const std::map<std::string, TextKind> kinds = {
      {"bool", TextKind::Bool}, {"i8", TextKind::I8}, {"i16", TextKind::I16}, {"i32", TextKind::I32}, {"i64", TextKind::I64},
      {"f32", TextKind::F32}, {"f64", TextKind::F64}, {"decimal64", TextKind::Decimal64}, {"decimal128", TextKind::Decimal128},
      {"string", TextKind::String}, {"bytes", TextKind::Bytes}, {"date", TextKind::Date}, {"time", TextKind::Time},
      {"timestamp", TextKind::Timestamp}, {"row", TextKind::Row}, {"array", TextKind::Array}, {"map", TextKind::Map}};
  const auto found = kinds.find(name);
  if (found == kinds.end()) throw std::invalid_argument("unknown kind of column " + name);
  return found->second;
}

// (name, kind, format, precision, scale, children)
TextDefinition definition_of(nb::handle given) {
  const auto parts = nb::cast<nb::tuple>(given);
  TextDefinition made;
  made.name = nb::cast<std::string>(parts[0]);
  made.kind = kind_of(nb::cast<std::string>(parts[1]));
  made.format = nb::cast<std::string>(parts[2]);
  made.precision = nb::cast<int>(parts[3]);
  made.scale = nb::cast<int>(parts[4]);
  for (nb::handle child : nb::cast<nb::tuple>(parts[5])) made.children.push_back(definition_of(child));
  const bool decimal = made.kind == TextKind::Decimal64 || made.kind == TextKind::Decimal128;
  const int most = made.kind == TextKind::Decimal64 ? 18 : 38;
  if (decimal && (made.precision < 1 || made.precision > most || made.scale < 0 || made.scale > made.precision))
    throw std::invalid_argument("a decimal of impossible digits");
  const bool time = made.kind == TextKind::Time || made.kind == TextKind::Timestamp;
  if (time && ((made.precision != 6 && made.precision != 9) || made.scale < 0 || made.scale > made.precision))
    throw std::invalid_argument("a time of impossible digits");
  const size_t wanted = made.kind == TextKind::Array ? 1 : made.kind == TextKind::Map ? 2 : made.children.size();
  if (made.children.size() != wanted || (wanted == 2 && made.kind == TextKind::Map && made.children[0].kind != TextKind::String))
    throw std::invalid_argument("a nested column of other children");
  return made;
}

std::vector<TextDefinition> definitions_of(const nb::tuple& given) {
  std::vector<TextDefinition> made;
  for (nb::handle one : given) made.push_back(definition_of(one));
  return made;
}

// A vector, or (length, NULLs, validity, offsets, children) of a nested column.
nb::object given(TextResult& result) {
  if (result.vector) return nb::cast(result.vector);
  nb::list children;
  for (TextResult& child : result.children) children.append(given(child));
  nb::object validity = nb::none(), offsets = nb::none();
  if (result.validity) validity = nb::cast(to_numpy<uint8_t>(result.validity, size_t(result.length + 7) / 8));
  if (result.offsets) offsets = nb::cast(to_numpy<int32_t>(result.offsets, size_t(result.length + 1)));
  return nb::make_tuple(result.length, result.null_count, validity, offsets, children);
}

template <class Decoder> nb::list finish(Decoder& decoder) {
  std::vector<TextResult> columns;
  {
    nb::gil_scoped_release released;
    columns = decoder.finish();
  }
  nb::list made;
  for (TextResult& column : columns) made.append(given(column));
  return made;
}

template <class Decoder> int64_t decode(Decoder& decoder, nb::handle data, int64_t at) {
  const Bytes bytes(data);
  nb::gil_scoped_release released;
  return decoder.decode(bytes.data(), bytes.size(), at);
}

CsvRecords make_csv(const nb::tuple& columns, const std::vector<int>& places, int fields, const nb::bytes& delimiter,
                    const nb::bytes& quote, const nb::bytes& null) {
  if (fields < 1 || delimiter.size() != 1 || quote.size() > 1) throw std::invalid_argument("no dialect of delimited text");
  CsvDialect dialect;
  dialect.delimiter = uint8_t(delimiter.c_str()[0]);
  dialect.quote = quote.size() ? uint8_t(quote.c_str()[0]) : -1;
  dialect.null.assign(null.c_str(), null.size());
  if (dialect.null.find_first_of("\r\n") != dialect.null.npos) throw std::invalid_argument("what NULL is written as ends a line");
  return CsvRecords(definitions_of(columns), places, fields, std::move(dialect));
}

}  // namespace

void register_text(nb::module_& m) {
  m.def("is_utf8", [](nb::handle data) {
    const Bytes bytes(data);
    nb::gil_scoped_release released;
    return is_utf8(bytes.data(), bytes.size());
  }, nb::arg("data"));
  m.def("count_byte", [](nb::handle data, int64_t from, int64_t to, uint8_t byte) {
    const Bytes bytes(data);
    if (from < 0 || to > bytes.size() || from > to) throw std::out_of_range("a range outside of the text");
    nb::gil_scoped_release released;
    return count_byte(bytes.data() + from, to - from, byte);
  }, nb::arg("data"), nb::arg("start"), nb::arg("end"), nb::arg("byte"));
  nb::class_<CsvRecords>(m, "CsvRecords", "Decodes delimited records into columns; see csv_records.h.")
      .def("__init__", [](CsvRecords* self, const nb::tuple& columns, const std::vector<int>& places, int fields,
                          const nb::bytes& delimiter, const nb::bytes& quote, const nb::bytes& null) {
        new (self) CsvRecords(make_csv(columns, places, fields, delimiter, quote, null));
      }, nb::arg("columns"), nb::arg("places"), nb::arg("fields"), nb::arg("delimiter"), nb::arg("quote"), nb::arg("null"))
      .def("decode", &decode<CsvRecords>, nb::arg("data"), nb::arg("at"))
      .def_prop_ro("rows", &CsvRecords::rows)
      .def("finish", &finish<CsvRecords>);
  nb::class_<JsonLines>(m, "JsonLines", "Decodes JSON lines into columns; see json_lines.h.")
      .def("__init__", [](JsonLines* self, const nb::tuple& fields, bool complete) {
        new (self) JsonLines(definitions_of(fields), complete);
      }, nb::arg("fields"), nb::arg("complete"))
      .def("decode", &decode<JsonLines>, nb::arg("data"), nb::arg("at"))
      .def_prop_ro("rows", &JsonLines::rows)
      .def("finish", &finish<JsonLines>);
}
