// The compact protocol of Thrift, in which Parquet writes page headers and footers, read from untrusted bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "parquet_page.h"

namespace tableflow::parquet {

// Types of the compact protocol.
enum ThriftType : uint8_t { Stop, True, False, Byte, I16, I32, I64, Double, Binary, List, Set, Map, Struct };

constexpr int kDeepest = 16;


class ThriftReader {
 public:
  ThriftReader(const uint8_t* data, size_t size) : begin_(data), at_(data), end_(data + size) {}

  size_t left() const { return size_t(end_ - at_); }
  const uint8_t* at() const { return at_; }
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
    throw Corrupt("a number in the metadata is too long");
  }

  int64_t integer() {
    const uint64_t v = varint();
    return int64_t(v >> 1) ^ -int64_t(v & 1);
  }

  int32_t int32() {
    const int64_t v = integer();
    if (v < INT32_MIN || v > INT32_MAX) throw Corrupt("a number in the metadata is out of range");
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

  // The number of elements of a list of structs, which follow.
  uint64_t structs() {
    const uint8_t head = byte();
    uint64_t count = head >> 4;
    if (count == 15) count = varint();
    if (count > left()) throw Truncated();  // an element has at least one byte
    if (count && (head & 0x0f) != Struct) throw Corrupt("a list of the metadata does not hold structs");
    return count;
  }

  void skip(uint8_t type, int depth = 0) {
    if (depth > kDeepest) throw Corrupt("the metadata is nested too deeply");
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
      default: throw Corrupt("the metadata has a field of an unknown type");
    }
  }

 private:
  void skip_element(uint8_t type, int depth) { type <= False ? void(byte()) : skip(type, depth + 1); }

  const uint8_t* begin_;
  const uint8_t* at_;
  const uint8_t* end_;
};

}  // namespace tableflow::parquet
