// A column as kernels see it: Arrow memory with its pointers resolved, owned by reference.
//
// A Vector keeps an ArrowArray (C data interface) alive through a shared pointer and never writes to it.  Buffers that a
// kernel makes are owned by an Owner allocated here and exported the same way, so that results go to Arrow without a copy.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  ArrowSchema** children;
  ArrowSchema* dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  ArrowArray** children;
  ArrowArray* dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};

namespace tableflow {

using int128 = __int128;

enum class Kind : uint8_t { Null, Bool, I8, I16, I32, I64, I128, F32, F64, Str, LargeStr, Dict, Interval, Nested };

// Bytes per value of a fixed-width kind; 0 for the others (Bool is a bit map).
constexpr int width(Kind k) {
  switch (k) {
    case Kind::I8: return 1;
    case Kind::I16: return 2;
    case Kind::I32: case Kind::F32: return 4;
    case Kind::I64: case Kind::F64: return 8;
    case Kind::I128: case Kind::Interval: return 16;
    default: return 0;
  }
}

// Uninitialised, 64-byte aligned, padded so that kernels may read or write up to 64 bytes past the end.
class Buffer {
 public:
  explicit Buffer(size_t bytes);
  // For what stays long: mapped on its own, in whole pages, so that neither memory that comes and goes beside it nor this one leaves gaps.
  static std::shared_ptr<Buffer> lasting(size_t bytes);
  static size_t lasting_footprint(size_t bytes);  // what it takes: of few sizes, so that it can be used again for others
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  template <class T> T* as() { return reinterpret_cast<T*>(data_); }
  template <class T> const T* as() const { return reinterpret_cast<const T*>(data_); }
  size_t size() const { return size_; }
  bool is_lasting() const { return mapped_ != 0; }
  void fit(size_t bytes) { size_ = bytes; }  // it holds others, for which it is large enough
  size_t footprint() const { return mapped_ ? mapped_ : size_ + 64; }  // bytes of memory
 private:
  Buffer() = default;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;  // bytes, unless they come from the heap
};
using BufferPtr = std::shared_ptr<Buffer>;

inline bool bit(const uint8_t* bits, int64_t i) { return bits[i >> 3] >> (i & 7) & 1; }
inline void set_bit(uint8_t* bits, int64_t i) { bits[i >> 3] |= uint8_t(1u << (i & 7)); }

class Vector;
using VectorPtr = std::shared_ptr<Vector>;

class Vector {
 public:
  Kind kind = Kind::Null;      // of the values; Dict: see codes
  Kind code_kind = Kind::I32;  // Dict: kind of the codes
  std::string format;          // Arrow format string, for export ("i", "l", "u", "d:15,2", "tsu:UTC", ...)
  int64_t length = 0;
  int64_t offset = 0;          // in rows; applies to data, offsets and validity
  int64_t null_count = 0;      // exact (computed on import when unknown)
  const uint8_t* validity = nullptr;  // nullptr: no NULL
  const uint8_t* data = nullptr;      // fixed-width values, bits, codes, or string bytes
  const uint8_t* offsets = nullptr;   // Str: int32, LargeStr: int64
  VectorPtr dictionary;               // Dict: the values (Str)
  std::vector<std::shared_ptr<void>> owners;
  int64_t nbytes = 0;
  bool keepable = true;               // the memory is this vector's own: not mapped from a file, not a small part of something larger

  bool has_nulls() const { return null_count != 0; }
  bool valid(int64_t i) const { return !validity || bit(validity, offset + i); }
  template <class T> const T* values() const { return reinterpret_cast<const T*>(data) + offset; }
  std::string_view str(int64_t i) const {
    if (kind == Kind::Str) {
      auto o = reinterpret_cast<const int32_t*>(offsets) + offset + i;
      return {reinterpret_cast<const char*>(data) + o[0], size_t(o[1] - o[0])};
    }
    auto o = reinterpret_cast<const int64_t*>(offsets) + offset + i;
    return {reinterpret_cast<const char*>(data) + o[0], size_t(o[1] - o[0])};
  }
  int64_t code(int64_t i) const {
    switch (code_kind) {
      case Kind::I8: return values<int8_t>()[i];
      case Kind::I16: return values<int16_t>()[i];
      case Kind::I32: return values<int32_t>()[i];
      default: return values<int64_t>()[i];
    }
  }
};

// Takes over both structs (their release is set to null), also when it throws std::invalid_argument for bad or foreign input.
VectorPtr import_vector(ArrowSchema* schema, ArrowArray* array);
// Fills both structs; they keep the vector alive until released.
void export_vector(const VectorPtr& vector, ArrowSchema* schema, ArrowArray* array);

// A vector over new buffers.  validity may be null (no NULLs); null_count is counted unless given.
VectorPtr make_fixed(Kind kind, std::string format, int64_t length, BufferPtr data, BufferPtr validity, int64_t null_count = -1);
VectorPtr make_string(std::string format, int64_t length, BufferPtr offsets, BufferPtr data, BufferPtr validity, int64_t null_count = -1);
VectorPtr make_dictionary(int64_t length, BufferPtr codes_i32, BufferPtr validity, VectorPtr dictionary, int64_t null_count = -1);

int64_t count_nulls(const uint8_t* validity, int64_t offset, int64_t length);

}  // namespace tableflow
