// Key columns made again of the words that a table stores.
#include <numeric>

#include "group_keys.h"
#include "interval.h"

namespace tableflow {

namespace {

VectorPtr nulls_column(const std::string& format, int64_t n) {
  auto v = std::make_shared<Vector>();
  v->format = format;
  v->length = v->null_count = n;
  return v;
}

}  // namespace

VectorPtr KeyWords::text_column(int c, const std::vector<uint32_t>& ids) {
  StringPool& pool = pools_[size_t(c)];
  const int64_t n = int64_t(ids.size());
  const bool binary = columns_[size_t(c)].format == "z";
  const auto is_null = [&](uint32_t id) { return id == StringPool::none || pool.is_null(id); };
  int64_t bytes = 0;
  for (const uint32_t id : ids) bytes += is_null(id) ? 0 : int64_t(pool.at(id).size());
  if (!binary && bytes > INT32_MAX) {
    // Few long strings, often: a dictionary holds each once.
    auto codes = std::make_shared<Buffer>(size_t(n) * 4);
    auto validity = std::make_shared<Buffer>(size_t(n + 7) / 8);
    std::memset(validity->data(), 0, validity->size());
    for (int64_t i = 0; i < n; ++i) {
      const bool null = is_null(ids[size_t(i)]);
      codes->as<int32_t>()[i] = null ? 0 : int32_t(ids[size_t(i)]);
      if (!null) set_bit(validity->data(), i);
    }
    return make_dictionary(n, codes, validity, pool.vector());
  }
  StringWriter out(n, bytes);
  for (const uint32_t id : ids) is_null(id) ? out.append_null() : out.append(pool.at(id));
  return out.finish(binary);
}

template <class Null, class Value> VectorPtr KeyWords::column_of(int c, int64_t n, Null null, Value value) {
  const KeyColumn& column = columns_[size_t(c)];
  if (column.kind == Kind::Null) return nulls_column(column.format, n);
  if (column.key_class == KeyClass::Text) {
    constexpr uint32_t mask = (uint32_t(1) << StringPool::bits) - 1;
    std::vector<uint32_t> ids(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) ids[size_t(i)] = null(i) ? StringPool::none : uint32_t(value(i)) & mask;
    return text_column(c, ids);
  }
  BufferPtr validity;
  int64_t nulls = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!null(i)) continue;
    if (!validity) {
      validity = std::make_shared<Buffer>(size_t(n + 7) / 8);
      std::memset(validity->data(), 0xff, validity->size());
    }
    validity->data()[i >> 3] &= uint8_t(~(1u << (i & 7)));
    ++nulls;
  }
  const size_t bytes = column.kind == Kind::Bool ? size_t(n + 7) / 8 : size_t(n) * size_t(width(column.kind));
  auto data = std::make_shared<Buffer>(bytes);
  const auto write = [&]<class T>(T* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = T(value(i));
  };
  switch (column.kind) {
    case Kind::Bool:
      std::memset(data->data(), 0, bytes);
      for (int64_t i = 0; i < n; ++i)
        if (value(i) != 0) set_bit(data->data(), i);
      break;
    case Kind::I8: write(data->as<int8_t>()); break;
    case Kind::I16: write(data->as<int16_t>()); break;
    case Kind::I32: write(data->as<int32_t>()); break;
    case Kind::I64: write(data->as<int64_t>()); break;
    case Kind::I128: write(data->as<int128>()); break;
    case Kind::Interval:  // kept as their lengths
      for (int64_t i = 0; i < n; ++i) data->as<int128>()[i] = interval_of_length(value(i));
      break;
    case Kind::F32:
      for (int64_t i = 0; i < n; ++i) data->as<float>()[i] = float(from_ordered_bits(int64_t(value(i))));
      break;
    default:
      for (int64_t i = 0; i < n; ++i) data->as<double>()[i] = from_ordered_bits(int64_t(value(i)));
  }
  return make_fixed(column.kind, column.storage, n, std::move(data), std::move(validity), nulls);
}

VectorPtr KeyWords::unpack(int c, const uint64_t* words, const Groups& of) {
  const KeyColumn& column = columns_[size_t(c)];
  const int stride = words_;
  const bool flagged = column.key_class != KeyClass::Text;  // a NULL text is an entry of the pool
  const auto null = [&](int64_t i) { return flagged && bool(words[of[i] * stride + column.null_word] >> column.null_shift & 1); };
  const auto low = [&](int64_t i) { return words[of[i] * stride + column.word]; };
  if (column.bits > 64)
    return column_of(c, of.n, null, [&](int64_t i) {
      return int128(uint64_t(low(i))) | int128(int64_t(words[of[i] * stride + column.word + 1])) << 64;
    });
  if (column.bits == 64) return column_of(c, of.n, null, [&](int64_t i) { return int128(int64_t(low(i))); });
  if (column.bits == 0) return column_of(c, of.n, null, [](int64_t) { return int128(0); });
  const int up = 64 - column.bits;
  if (column.bits == 1) return column_of(c, of.n, null, [&](int64_t i) { return int128(low(i) >> column.shift & 1); });
  return column_of(c, of.n, null, [&](int64_t i) { return int128(int64_t(low(i) >> column.shift << up) >> up); });
}

VectorPtr KeyWords::unpack_single(const uint64_t* words, const Groups& of, int64_t null_group) {
  return column_of(0, of.n, [&](int64_t i) { return of[i] == null_group; }, [&](int64_t i) { return int128(int64_t(words[of[i]])); });
}

VectorPtr KeyWords::pool_entries(const Groups& of) {
  std::vector<uint32_t> ids(static_cast<size_t>(of.n));
  for (int64_t i = 0; i < of.n; ++i) ids[size_t(i)] = uint32_t(of[i]);
  return text_column(0, ids);
}

}  // namespace tableflow
