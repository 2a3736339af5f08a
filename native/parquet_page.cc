#include "parquet_page.h"

namespace tableflow::parquet {
namespace {

// Types of the compact protocol.
enum Type : uint8_t { Stop, True, False, Byte, I16, I32, I64, Double, Binary, List, Set, Map, Struct };

constexpr int kDeepest = 16;

class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : begin_(data), at_(data), end_(data + size) {}

  size_t used() const { return size_t(at_ - begin_); }

  uint8_t byte() {
    if (at_ == end_) throw Truncated();
    return *at_++;
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t b = byte();
      value |= uint64_t(b & 0x7f) << shift;
      if (b < 0x80) return value;
    }
    throw Corrupt("a number in a page header is too long");
  }

  int64_t integer() {
    const uint64_t v = varint();
    return int64_t(v >> 1) ^ -int64_t(v & 1);
  }

  int32_t int32() {
    const int64_t v = integer();
    if (v < INT32_MIN || v > INT32_MAX) throw Corrupt("a number in a page header is out of range");
    return int32_t(v);
  }

  void advance(uint64_t bytes) {
    if (bytes > uint64_t(end_ - at_)) throw Truncated();
    at_ += bytes;
  }

  // The next field of a struct; false at its end.
  bool field(int* id, uint8_t* type) {
    const uint8_t head = byte();
    *type = head & 0x0f;
    if (*type == Stop) return false;
    const int delta = head >> 4;
    *id = delta ? *id + delta : int(integer());
    return true;
  }

  void skip(uint8_t type, int depth = 0) {
    if (depth > kDeepest) throw Corrupt("a page header is nested too deeply");
    switch (type) {
      case True: case False: return;
      case Byte: byte(); return;
      case I16: case I32: case I64: varint(); return;
      case Double: advance(8); return;
      case Binary: advance(varint()); return;
      case List: case Set: {
        const uint8_t head = byte();
        uint64_t count = head >> 4;
        if (count == 15) count = varint();
        const uint8_t element = head & 0x0f;
        for (; count; --count) element <= False ? void(byte()) : skip(element, depth + 1);
        return;
      }
      case Map: {
        uint64_t count = varint();
        if (!count) return;
        const uint8_t types = byte();
        for (; count; --count) {
          skip_element(types >> 4, depth);
          skip_element(types & 0x0f, depth);
        }
        return;
      }
      case Struct: {
        int id = 0;
        uint8_t inner;
        while (field(&id, &inner)) skip(inner, depth + 1);
        return;
      }
      default: throw Corrupt("a page header has a field of an unknown type");
    }
  }

 private:
  void skip_element(uint8_t type, int depth) { type <= False ? void(byte()) : skip(type, depth + 1); }

  const uint8_t* begin_;
  const uint8_t* at_;
  const uint8_t* end_;
};

void expect(uint8_t type, uint8_t wanted) {
  if (type != wanted) throw Corrupt("a page header has a field of the wrong type");
}

// Data pages of version 1, and dictionary pages, which begin with the same two fields.
void read_v1(Reader& in, PageHeader& page) {
  int id = 0;
  uint8_t type;
  while (in.field(&id, &type)) {
    if (id == 1) { expect(type, I32); page.num_values = in.int32(); }
    else if (id == 2) { expect(type, I32); page.encoding = Encoding(in.int32()); }
    else if (id == 3 && page.type == PageType::Data) { expect(type, I32); page.level_encoding = Encoding(in.int32()); }
    else in.skip(type);
  }
}

void read_v2(Reader& in, PageHeader& page) {
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
  Reader in(data, size);
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
