// The Parquet decoder in Python: one reader per column chunk.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <sys/stat.h>

#include <map>
#include <optional>
#include <system_error>

#include "numpy_array.h"
#include "parquet_binding.h"
#include "parquet_column.h"
#include "parquet_thrift.h"

namespace nb = nanobind;
using namespace tableflow;
using namespace tableflow::parquet;

namespace {

constexpr int64_t kMostRows = int64_t(1) << 27;

Conversion conversion_of(const std::string& name) {
  static const std::map<std::string, Conversion> names = {
      {"bool", Conversion::Bool}, {"i32:i8", Conversion::I32ToI8}, {"i32:i16", Conversion::I32ToI16},
      {"i32", Conversion::I32}, {"u8:i16", Conversion::U8ToI16}, {"u16:i32", Conversion::U16ToI32},
      {"u32:i64", Conversion::U32ToI64}, {"i64", Conversion::I64}, {"i32*1000", Conversion::I32Thousand},
      {"i64*1000", Conversion::I64Thousand}, {"f32", Conversion::F32}, {"f64", Conversion::F64},
      {"u64:i128", Conversion::U64ToI128}, {"i96", Conversion::I96}, {"f16", Conversion::F16},
      {"fixed:i64", Conversion::FixedToI64}, {"fixed:i128", Conversion::FixedToI128}, {"bytes:i64", Conversion::BytesToI64},
      {"bytes:i128", Conversion::BytesToI128}, {"string", Conversion::String}, {"fixed:string", Conversion::FixedString}};
  const auto found = names.find(name);
  if (found == names.end()) throw std::invalid_argument("unknown conversion " + name);
  return found->second;
}

// Calls back into Python: decompress(bytes, size) -> object with size bytes.
class PythonDecompress {
 public:
  explicit PythonDecompress(nb::object function) : function_(std::make_shared<Held>(std::move(function))) {}

  void operator()(const uint8_t* in, size_t in_size, uint8_t* out, size_t out_size) const {
    nb::gil_scoped_acquire acquired;
    nb::object result;
    try {
      result = function_->object(nb::bytes(reinterpret_cast<const char*>(in), in_size), out_size);
    } catch (const nb::python_error& error) {
      throw Corrupt(std::string("a page could not be decompressed: ") + error.what());
    }
    Py_buffer view;
    if (PyObject_GetBuffer(result.ptr(), &view, PyBUF_SIMPLE)) throw nb::python_error();
    const bool fits = size_t(view.len) == out_size;
    if (fits && out_size) std::memcpy(out, view.buf, out_size);
    PyBuffer_Release(&view);
    if (!fits) throw Corrupt("a page has another size after decompression than its header says");
  }

 private:
  // Released under the GIL, wherever the reader is dropped.
  struct Held {
    nb::object object;
    explicit Held(nb::object o) : object(std::move(o)) {}
    ~Held() {
      nb::gil_scoped_acquire acquired;
      object.reset();
    }
  };
  std::shared_ptr<Held> function_;
};

std::shared_ptr<ColumnChunkReader> make_reader(int fd, int64_t offset, int64_t size, int64_t num_values, bool optional,
                                               const std::string& conversion, const std::string& format, int type_length,
                                               const std::string& codec, nb::object decompress, PageCachePtr cache) {
  ChunkDefinition chunk = chunk_definition(optional, conversion, format, type_length, codec);
  chunk.offset = offset;
  chunk.size = size;
  chunk.num_values = num_values;
  Decompress callback;
  if (codec == "other") callback = PythonDecompress(std::move(decompress));
  return std::make_shared<ColumnChunkReader>(fd, std::move(chunk), std::move(callback), std::move(cache));
}

using PlacesIn = ArrayIn<uint32_t>;

nb::tuple read_matching(ColumnChunkReader& reader, int64_t rows, const std::optional<PlacesIn>& at, const ArrayIn<uint8_t>& accepted) {
  Matching found;
  BufferPtr kept;
  {
    nb::gil_scoped_release released;
    if (rows > kMostRows) throw std::out_of_range("too many rows for one call");
    found = reader.read_matching(rows, at ? at->data() : nullptr, at ? int64_t(at->size()) : -1, accepted.data(),
                                 int64_t(accepted.size()));
    kept = std::make_shared<Buffer>(found.kept.size() * 4);
    if (!found.kept.empty()) std::memcpy(kept->data(), found.kept.data(), found.kept.size() * 4);
  }
  return nb::make_tuple(found.vector, to_numpy<uint32_t>(std::move(kept), found.kept.size()), found.exact);
}

nb::object thrift_struct(ThriftReader& in, int depth);

// A value as Python has it: int, float, bytes, bool, list, dict by field id.
nb::object thrift_value(ThriftReader& in, uint8_t type, int depth) {
  if (depth > kDeepest) throw Corrupt("the metadata is nested too deeply");
  switch (type) {
    case True: return nb::bool_(true);
    case False: return nb::bool_(false);
    case Byte: return nb::int_(int(int8_t(in.byte())));
    case I16: case I32: case I64: return nb::int_(in.integer());
    case Double: {
      double value;
      const uint8_t* from = in.at();
      in.advance(8);
      std::memcpy(&value, from, 8);
      return nb::float_(value);
    }
    case Binary: {
      const uint64_t size = in.varint();
      const uint8_t* from = in.at();
      in.advance(size);
      return nb::bytes(reinterpret_cast<const char*>(from), size);
    }
    case List: case Set: {
      const uint8_t head = in.byte();
      uint64_t count = head >> 4;
      if (count == 15) count = in.varint();
      if (count > in.left()) throw Truncated();  // an element has at least one byte
      const uint8_t element = head & 0x0f;
      nb::list items;
      for (; count; --count) {
        if (element == True || element == False) items.append(nb::bool_(in.byte() == True));
        else items.append(thrift_value(in, element, depth + 1));
      }
      return items;
    }
    case Struct: return thrift_struct(in, depth + 1);
    default: in.skip(type, depth); return nb::none();
  }
}

nb::object thrift_struct(ThriftReader& in, int depth) {
  nb::dict fields;
  int id = 0;
  uint8_t type;
  while (in.field(&id, &type)) fields[nb::int_(id)] = thrift_value(in, type, depth);
  return fields;
}

// A row group, whose column chunks stay bytes: there are many, of which few are looked at.
nb::object thrift_row_group(ThriftReader& in) {
  nb::dict fields;
  int id = 0;
  uint8_t type;
  while (in.field(&id, &type)) {
    if (id != 1 || type != List) {
      fields[nb::int_(id)] = thrift_value(in, type, 2);
      continue;
    }
    nb::list chunks;
    for (uint64_t count = in.structs(); count; --count) {
      const uint8_t* from = in.at();
      in.skip(Struct, 3);
      chunks.append(nb::bytes(reinterpret_cast<const char*>(from), size_t(in.at() - from)));
    }
    fields[nb::int_(id)] = std::move(chunks);
  }
  return fields;
}

// A file's metadata as `parse_thrift` gives them, but for the column chunks.
nb::object parse_footer_thrift(const nb::bytes& data) {
  ThriftReader in(static_cast<const uint8_t*>(data.data()), data.size());
  nb::dict fields;
  int id = 0;
  uint8_t type;
  try {
    while (in.field(&id, &type)) {
      if (id != 4 || type != List) {
        fields[nb::int_(id)] = thrift_value(in, type, 1);
        continue;
      }
      nb::list groups;
      for (uint64_t count = in.structs(); count; --count) groups.append(thrift_row_group(in));
      fields[nb::int_(id)] = std::move(groups);
    }
  } catch (const Truncated&) {
    throw Corrupt("the metadata ends early");
  }
  return fields;
}

// The struct at the beginning of the bytes, and how many of them it takes.
nb::tuple parse_thrift_prefix(const nb::bytes& data) {
  ThriftReader in(static_cast<const uint8_t*>(data.data()), data.size());
  try {
    nb::object fields = thrift_struct(in, 0);
    return nb::make_tuple(std::move(fields), in.used());
  } catch (const Truncated&) {
    throw Corrupt("the metadata ends early");
  }
}

nb::object parse_thrift(const nb::bytes& data) { return parse_thrift_prefix(data)[0]; }

// Size and time of modification (nanoseconds) of an open file.  The lock is kept: what the kernel knows takes less than to wait for it.
std::pair<int64_t, int64_t> file_version(int fd) {
  struct stat status;
  if (::fstat(fd, &status)) throw std::system_error(errno, std::generic_category(), "fstat");
  return {int64_t(status.st_size), int64_t(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
}

void translate(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const Unsupported& error) {
    PyErr_SetString(PyExc_NotImplementedError, error.what());
  } catch (const std::system_error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
  }
}

}  // namespace

ChunkDefinition tableflow::parquet::chunk_definition(bool optional, const std::string& conversion, const std::string& format,
                                                     int type_length, const std::string& codec) {
  ChunkDefinition chunk;
  chunk.optional = optional;
  chunk.decompress = codec != "none";
  chunk.codec = codec == "snappy"    ? Codec::Snappy
                : codec == "lz4_raw" ? Codec::Lz4
                : codec == "zstd"    ? Codec::Zstd
                                     : Codec::Other;
  if (chunk.decompress && chunk.codec == Codec::Other && codec != "other") throw std::invalid_argument("unknown codec " + codec);
  chunk.type_length = type_length;
  chunk.conversion = conversion_of(conversion);
  chunk.format = format;
  return chunk;
}

void register_parquet(nb::module_& m) {
  nb::register_exception_translator(translate);
  m.def("file_version", &file_version, nb::arg("fd"));
  m.def("parse_thrift", &parse_thrift, nb::arg("data"));
  m.def("parse_footer_thrift", &parse_footer_thrift, nb::arg("data"));
  m.def("parse_thrift_prefix", &parse_thrift_prefix, nb::arg("data"));
  nb::class_<PageCache>(m, "PageCache", "Decompressed pages that are kept; see page_cache.h.")
      .def(nb::init<int64_t, int64_t>(), nb::arg("capacity"), nb::arg("settled_ns"))
      .def("resize", &PageCache::resize, nb::arg("capacity"))
      .def_prop_ro("capacity", &PageCache::capacity)
      .def_prop_ro("bytes", &PageCache::bytes)
      .def_prop_ro("pages", &PageCache::pages)
      .def_prop_ro("hits", &PageCache::hits)
      .def_prop_ro("misses", &PageCache::misses)
      .def_prop_ro("evictions", &PageCache::evictions);
  nb::class_<ColumnChunkReader>(m, "ParquetColumnReader", "Decodes a flat column chunk; see parquet_column.h.")
      .def(nb::new_(&make_reader), nb::arg("fd"), nb::arg("offset"), nb::arg("size"), nb::arg("num_values"), nb::arg("optional"),
           nb::arg("conversion"), nb::arg("format"), nb::arg("type_length"), nb::arg("codec"), nb::arg("decompress").none(), nb::arg("cache").none() = nb::none())
      .def_prop_ro("left", [](const ColumnChunkReader& r) { return r.left(); })
      .def_prop_ro("pages", [](const ColumnChunkReader& r) { return std::pair(r.pages().decompressed, r.pages().cached); })
      .def("read", [](ColumnChunkReader& r, int64_t rows) {
        nb::gil_scoped_release released;
        if (rows > kMostRows) throw std::out_of_range("too many rows for one call");
        return r.read(rows);
      }, nb::arg("rows"))
      .def("skip", [](ColumnChunkReader& r, int64_t rows) {
        if (rows == 0) return;
        nb::gil_scoped_release released;
        r.skip(rows);
      }, nb::arg("rows"))
      .def("read_at", [](ColumnChunkReader& r, int64_t rows, const PlacesIn& at) {
        nb::gil_scoped_release released;
        return r.read_at(rows, at.data(), int64_t(at.size()));
      }, nb::arg("rows"), nb::arg("at"))
      .def("read_matching", &read_matching, nb::arg("rows"), nb::arg("at").none(), nb::arg("accepted"))
      .def("dictionary", [](ColumnChunkReader& r) {
        nb::gil_scoped_release released;
        return r.dictionary();
      })
      .def("jump", [](ColumnChunkReader& r, int64_t offset, int64_t first_row, int64_t rows) {
        nb::gil_scoped_release released;
        r.jump(offset, first_row);
        r.skip(rows);
      }, nb::arg("offset"), nb::arg("first_row"), nb::arg("rows") = 0);
}
