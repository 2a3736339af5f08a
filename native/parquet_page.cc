#include "parquet_page.h"

#include "parquet_thrift.h"

namespace tableflow::parquet {
namespace {

void expect(uint8_t type, uint8_t wanted) {
  if (type != wanted) throw Corrupt("a page header has a field of the wrong type");
}

// Data pages of version 1, and dictionary pages, which begin with the same two fields.
void read_v1(ThriftReader& in, PageHeader& page) {
  int id = 0;
  uint8_t type;
  while (in.field(&id, &type)) {
    if (id == 1) { expect(type, I32); page.num_values = in.int32(); }
    else if (id == 2) { expect(type, I32); page.encoding = Encoding(in.int32()); }
    else if (id == 3 && page.type == PageType::Data) { expect(type, I32); page.level_encoding = Encoding(in.int32()); }
    else in.skip(type);
  }
}

void read_v2(ThriftReader& in, PageHeader& page) {
  int id = 0;
  uint8_t type;
  while (in.field(&id, &type)) {
    switch (id) {
      case 1: expect(type, I32); page.num_values = in.int32(); break;
      case 4: expect(type, I32); page.encoding = Encoding(in.int32()); break;
      case 5: expect(type, I32); page.definition_bytes = in.int32(); break;
      case 6: expect(type, I32); page.repetition_bytes = in.int32(); break;
      case 7: page.compressed = type == True; break;
      default: in.skip(type);
    }
  }
}

}  // namespace

PageHeader parse_page_header(const uint8_t* data, size_t size, size_t* used) {
  ThriftReader in(data, size);
  PageHeader page;
  bool has_type = false;
  int id = 0;
  uint8_t type;
  while (in.field(&id, &type)) {
    switch (id) {
      case 1: expect(type, I32); page.type = PageType(in.int32()); has_type = true; break;
      case 2: expect(type, I32); page.uncompressed_size = in.int32(); break;
      case 3: expect(type, I32); page.compressed_size = in.int32(); break;
      case 5: case 7: expect(type, Struct); read_v1(in, page); break;
      case 8: expect(type, Struct); read_v2(in, page); break;
      default: in.skip(type);
    }
  }
  *used = in.used();
  if (!has_type || page.compressed_size < 0 || page.uncompressed_size < 0) throw Corrupt("a page header has no type or size");
  if (page.type != PageType::Index && page.num_values < 0) throw Corrupt("a page header has no number of values");
  if (page.definition_bytes < 0 || page.repetition_bytes < 0 ||
      int64_t(page.definition_bytes) + page.repetition_bytes > page.compressed_size ||
      int64_t(page.definition_bytes) + page.repetition_bytes > page.uncompressed_size)
    throw Corrupt("the levels of a page are longer than the page");
  return page;
}

}  // namespace tableflow::parquet
