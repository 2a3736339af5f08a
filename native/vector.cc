#include "vector.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace tableflow {

Buffer::Buffer(size_t bytes) : size_(bytes) {
  const size_t padded = (bytes + 127) / 64 * 64;
  data_ = static_cast<uint8_t*>(std::aligned_alloc(64, padded));
  if (!data_) throw std::bad_alloc();
}

size_t Buffer::lasting_footprint(size_t bytes) {
  size_t step = 4096;
  while (step * 64 < bytes + 64) step *= 2;
  return (bytes + 64 + step - 1) / step * step;
}

std::shared_ptr<Buffer> Buffer::lasting(size_t bytes) {
  const size_t padded = lasting_footprint(bytes);
  void* data = ::mmap(nullptr, padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return std::make_shared<Buffer>(bytes);  // a process may have so many mappings
  std::shared_ptr<Buffer> buffer(new Buffer);
  buffer->data_ = static_cast<uint8_t*>(data);
  buffer->size_ = bytes;
  buffer->mapped_ = padded;
  return buffer;
}

Buffer::~Buffer() {
  if (mapped_) ::munmap(data_, mapped_);
  else std::free(data_);
}

int64_t count_nulls(const uint8_t* validity, int64_t offset, int64_t length) {
  if (!validity) return 0;
  int64_t set = 0, i = offset;
  const int64_t end = offset + length;
  for (; i < end && (i & 7); ++i) set += bit(validity, i);
  for (; i + 64 <= end; i += 64) {
    uint64_t word;
    std::memcpy(&word, validity + (i >> 3), 8);
    set += __builtin_popcountll(word);
  }
  for (; i < end; ++i) set += bit(validity, i);
  return length - set;
}

namespace {

struct Imported {
  ArrowArray array{};
  ~Imported() {
    if (array.release) array.release(&array);
  }
};

Kind kind_of(const std::string& f) {
  if (f.empty()) throw std::invalid_argument("empty Arrow format");
  switch (f[0]) {
    case 'n': return Kind::Null;
    case 'b': return Kind::Bool;
    case 'c': return Kind::I8;
    case 's': return Kind::I16;
    case 'i': return Kind::I32;
    case 'l': return Kind::I64;
    case 'f': return Kind::F32;
    case 'g': return Kind::F64;
    case 'u': case 'z': return Kind::Str;
    case 'U': case 'Z': return Kind::LargeStr;
    case 'd': {  // d:p,s[,bits]
      const auto last = f.rfind(',');
      const auto first = f.find(',');
      if (last != first) {
        const auto bits = f.substr(last + 1);
        if (bits == "32") return Kind::I32;
        if (bits == "64") return Kind::I64;
        if (bits != "128") return Kind::Nested;
      }
      return Kind::I128;
    }
    case 't':
      if (f == "tdD" || f == "tts" || f == "ttm") return Kind::I32;
      if (f == "tin") return Kind::Interval;
      if (f[1] == 'd' || f[1] == 't' || f[1] == 's') return Kind::I64;
      return Kind::Nested;
    default: return Kind::Nested;
  }
}

void resolve(Vector& v, const ArrowArray& a) {
  v.length = a.length;
  v.offset = a.offset;
  if (v.length < 0 || v.offset < 0) throw std::invalid_argument("negative length in Arrow array");
  if (v.kind == Kind::Null) {
    v.null_count = v.length;
    return;
  }
  const bool stringy = v.kind == Kind::Str || v.kind == Kind::LargeStr;
  if (v.kind == Kind::Nested) return;
  if (a.n_buffers < (stringy ? 3 : 2)) throw std::invalid_argument("Arrow array with too few buffers");
  v.validity = static_cast<const uint8_t*>(a.buffers[0]);
  v.null_count = !v.validity ? 0 : a.null_count >= 0 ? a.null_count : count_nulls(v.validity, v.offset, v.length);
  if (v.null_count == 0) v.validity = nullptr;
  static const int64_t zeros[2] = {0, 0};
  static const uint8_t nothing[64] = {};
  if (stringy) {
    v.offsets = static_cast<const uint8_t*>(a.buffers[1]);
    v.data = static_cast<const uint8_t*>(a.buffers[2]);
    if (!v.offsets) v.offsets = reinterpret_cast<const uint8_t*>(zeros);
    if (!v.data) v.data = nothing;
    const bool large = v.kind == Kind::LargeStr;
    const auto end = v.offset + v.length;
    v.nbytes = large ? reinterpret_cast<const int64_t*>(v.offsets)[end] - reinterpret_cast<const int64_t*>(v.offsets)[v.offset]
                     : reinterpret_cast<const int32_t*>(v.offsets)[end] - reinterpret_cast<const int32_t*>(v.offsets)[v.offset];
    v.nbytes += v.length * (large ? 8 : 4);
  } else {
    v.data = static_cast<const uint8_t*>(a.buffers[1]);
    if (!v.data) v.data = nothing;
    const Kind k = v.kind == Kind::Dict ? v.code_kind : v.kind;
    v.nbytes = k == Kind::Bool ? (v.length + 7) / 8 : v.length * width(k);
  }
  if (v.validity) v.nbytes += (v.length + 7) / 8;
}

VectorPtr import_part(const ArrowSchema& schema, const ArrowArray& array, const std::shared_ptr<Imported>& keep) {
  auto v = std::make_shared<Vector>();
  v->format = schema.format;
  if (schema.dictionary) {
    if (!array.dictionary) throw std::invalid_argument("Arrow dictionary array without dictionary");
    v->kind = Kind::Dict;
    v->code_kind = kind_of(v->format);
    if (width(v->code_kind) == 0 || v->code_kind == Kind::F32 || v->code_kind == Kind::F64)
      throw std::invalid_argument("Arrow dictionary codes must be signed integers");
    v->dictionary = import_part(*schema.dictionary, *array.dictionary, keep);
  } else {
    v->kind = kind_of(v->format);
  }
  resolve(*v, array);
  if (v->dictionary) v->nbytes += v->dictionary->nbytes;
  v->owners.push_back(keep);
  v->keepable = false;  // until someone who knows says that it is
  return v;
}

}  // namespace

VectorPtr import_vector(ArrowSchema* schema, ArrowArray* array) {
  auto keep = std::make_shared<Imported>();
  keep->array = *array;
  array->release = nullptr;
  struct SchemaGuard {
    ArrowSchema* s;
    ~SchemaGuard() {
      if (s->release) s->release(s);
    }
  } guard{schema};
  return import_part(*schema, keep->array, keep);
}

namespace {

struct Exported {
  VectorPtr vector;
  const void* buffers[3];
  ArrowArray dictionary;
  ArrowSchema dictionary_schema;
};

void release_array(ArrowArray* a) {
  if (a->dictionary && a->dictionary->release) a->dictionary->release(a->dictionary);
  delete static_cast<Exported*>(a->private_data);
  a->release = nullptr;
}
void release_schema(ArrowSchema* s) {
  if (s->dictionary && s->dictionary->release) s->dictionary->release(s->dictionary);
  delete static_cast<Exported*>(s->private_data);
  s->release = nullptr;
}

}  // namespace

void export_vector(const VectorPtr& v, ArrowSchema* schema, ArrowArray* array) {
  if (v->kind == Kind::Nested) throw std::invalid_argument("nested vectors are not exported");
  auto* es = new Exported{v, {}, {}, {}};
  auto* ea = new Exported{v, {}, {}, {}};
  *schema = ArrowSchema{v->format.c_str(), "", nullptr, 2, 0, nullptr, nullptr, release_schema, es};
  const bool stringy = v->kind == Kind::Str || v->kind == Kind::LargeStr;
  ea->buffers[0] = v->validity;
  ea->buffers[1] = stringy ? v->offsets : v->data;
  ea->buffers[2] = v->data;
  const int64_t n = v->kind == Kind::Null ? 0 : stringy ? 3 : 2;
  *array = ArrowArray{v->length, v->null_count, v->offset, n, 0, ea->buffers, nullptr, nullptr, release_array, ea};
  if (v->dictionary) {
    ArrowSchema unused_schema{};
    ArrowArray unused_array{};
    export_vector(v->dictionary, &es->dictionary_schema, &unused_array);
    unused_array.release(&unused_array);
    export_vector(v->dictionary, &unused_schema, &ea->dictionary);
    unused_schema.release(&unused_schema);
    schema->dictionary = &es->dictionary_schema;
    array->dictionary = &ea->dictionary;
  }
}

VectorPtr make_fixed(Kind kind, std::string format, int64_t length, BufferPtr data, BufferPtr validity, int64_t null_count) {
  auto v = std::make_shared<Vector>();
  v->kind = kind;
  v->format = std::move(format);
  v->length = length;
  v->data = data->data();
  v->nbytes = int64_t(data->size());
  v->owners.push_back(std::move(data));
  if (validity) {
    v->null_count = null_count >= 0 ? null_count : count_nulls(validity->data(), 0, length);
    if (v->null_count) {
      v->validity = validity->data();
      v->nbytes += int64_t(validity->size());
      v->owners.push_back(std::move(validity));
    }
  }
  return v;
}

VectorPtr make_string(std::string format, int64_t length, BufferPtr offsets, BufferPtr data, BufferPtr validity, int64_t null_count) {
  const bool large = format == "U" || format == "Z";
  auto v = make_fixed(large ? Kind::LargeStr : Kind::Str, std::move(format), length, std::move(data), std::move(validity), null_count);
  v->offsets = offsets->data();
  v->nbytes += int64_t(offsets->size());
  v->owners.push_back(std::move(offsets));
  return v;
}

VectorPtr make_dictionary(int64_t length, BufferPtr codes, BufferPtr validity, VectorPtr dictionary, int64_t null_count) {
  auto v = make_fixed(Kind::Dict, "i", length, std::move(codes), std::move(validity), null_count);
  v->code_kind = Kind::I32;
  v->nbytes += dictionary->nbytes;
  v->dictionary = std::move(dictionary);
  return v;
}

}  // namespace tableflow
