#include "concat_strings.h"

#include <algorithm>

#include "gather_rows.h"
#include "hash.h"

namespace tableflow {

namespace {

using namespace rows;

bool is_dictionary(const Rows& part) { return part.vector->kind == Kind::Dict; }

const Vector& strings_of(const Rows& part) { return is_dictionary(part) ? *part.vector->dictionary : *part.vector; }

// Copies strings that are not long as whole words where the source has bytes to spare; the target is padded, and written in order.
inline void copy_bytes(char* to, std::string_view from, const char* source_end) {
  constexpr size_t word = 32, most = 128;
  const size_t size = from.size();
  if (size <= most && size_t(source_end - from.data()) >= (size + word - 1) / word * word) {
    for (size_t done = 0; done < size; done += word) std::memcpy(to + done, from.data() + done, word);
  } else {
    std::memcpy(to, from.data(), size);
  }
}

const char* bytes_end(const Vector& v) {
  if (v.length == 0) return nullptr;
  const auto last = v.str(v.length - 1);
  return last.data() + last.size();
}

// The string of a row; empty for NULL.
template <class Index> auto string_getter(const Rows& part, Index index) {
  const Vector& v = *part.vector;
  const bool may_be_null = may_have_nulls(part);
  return [&v, index, may_be_null](int64_t i) -> std::string_view {
    const int64_t row = index(i);
    if (may_be_null && !row_valid(v, row)) return {};
    return v.kind == Kind::Dict ? v.dictionary->str(v.code(row)) : v.str(row);
  };
}

template <class F> void for_strings(const Rows& part, F f) {
  if (part.vector->kind == Kind::Null) {
    for (int64_t i = 0; i < part.n; ++i) f(i, std::string_view{});
    return;
  }
  with_index(part, [&](auto index) {
    auto get = string_getter(part, index);
    for (int64_t i = 0; i < part.n; ++i) f(i, get(i));
  });
}

// Whether the rows' bytes lie together in the source (what NULL may have there comes along).
bool contiguous(const Rows& part) { return !has_index(part) && !is_dictionary(part) && part.vector->kind != Kind::Null; }

// Offsets of a contiguous part behind `end` bytes; returns the part's bytes.
template <class From, class To> int64_t shift_offsets(const Rows& part, int64_t end, To* out) {
  const From* offsets = reinterpret_cast<const From*>(part.vector->offsets) + part.vector->offset + part.first;
  const int64_t by = end - int64_t(offsets[0]);
  for (int64_t i = 1; i <= part.n; ++i) out[i] = To(int64_t(offsets[i]) + by);
  return int64_t(offsets[part.n]) - int64_t(offsets[0]);
}

// Offsets of a part's rows behind `end`, which becomes the end of its bytes.
template <class Offset> void part_offsets(const Rows& part, Offset* out, int64_t& end) {
  if (contiguous(part)) {
    end += part.vector->kind == Kind::Str ? shift_offsets<int32_t>(part, end, out) : shift_offsets<int64_t>(part, end, out);
    return;
  }
  int64_t at = end;
  for_strings(part, [&](int64_t i, std::string_view s) {
    at += int64_t(s.size());
    out[i + 1] = Offset(at);
  });
  end = at;
}

// Offsets of all rows; `end` becomes the bytes, or -1 when they do not fit into Offset.
template <class Offset> Work put_offsets(std::span<const Rows> parts, Offset* out, int64_t& end) {
  end = 0;
  out[0] = 0;
  for (const Rows& part : parts) {
    part_offsets(part, out, end);
    if (sizeof(Offset) == 4 && end > INT32_MAX) {
      end = -1;
      co_return;
    }
    out += part.n;
    co_await give_way;
  }
}

// The bytes of a part's rows; `ends` are the offsets made for them.
template <class Offset> void put_bytes(const Rows& part, const Offset* ends, char* out) {
  const Vector& v = strings_of(part);
  if (part.n > 0 && contiguous(part)) {
    const auto last = v.str(part.first + part.n - 1);
    const char* first = v.str(part.first).data();
    std::memcpy(out, first, size_t(last.data() + last.size() - first));
    return;
  }
  const char* end = bytes_end(v);
  const Offset first = ends[0];
  with_index(part, [&](auto index) {
    for (int64_t i = 0; i < part.n; ++i) {
      if (ends[i + 1] == ends[i]) continue;  // empty or NULL
      const int64_t row = index(i);
      copy_bytes(out + (ends[i] - first), v.str(is_dictionary(part) ? part.vector->code(row) : row), end);
    }
  });
}

template <class Offset>
Work as_bytes(std::span<const Rows> parts, int64_t total, BufferPtr validity, bool binary, VectorPtr& out) {
  auto offsets = std::make_shared<Buffer>(size_t(total + 1) * sizeof(Offset));
  int64_t bytes = 0;
  co_await put_offsets(parts, offsets->as<Offset>(), bytes);
  if (bytes < 0) {
    co_await as_bytes<int64_t>(parts, total, std::move(validity), binary, out);
    co_return;
  }
  auto data = std::make_shared<Buffer>(size_t(bytes));
  int64_t row = 0;
  for (const Rows& part : parts) {
    const Offset* ends = offsets->as<Offset>() + row;
    put_bytes(part, ends, data->as<char>() + *ends);
    row += part.n;
    co_await give_way;
  }
  const bool large = sizeof(Offset) == 8;
  out = make_string(binary ? (large ? "Z" : "z") : (large ? "U" : "u"), total, std::move(offsets), std::move(data), std::move(validity));
}

// Distinct strings of several dictionaries, numbered in order of first appearance.
class Unified {
 public:
  explicit Unified(int64_t most) {
    size_t slots = 16;
    while (slots < size_t(most) * 2) slots *= 2;
    slots_.assign(slots, -1);
    strings_.reserve(size_t(most));
  }
  int32_t code(std::string_view s) {
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash_value(s) & mask;; at = (at + 1) & mask) {
      if (slots_[at] < 0) {
        slots_[at] = int32_t(strings_.size());
        strings_.push_back(s);
        return slots_[at];
      }
      if (strings_[size_t(slots_[at])] == s) return slots_[at];
    }
  }
  VectorPtr vector(bool binary) const {
    int64_t bytes = 0;
    for (auto s : strings_) bytes += int64_t(s.size());
    auto offsets = std::make_shared<Buffer>((strings_.size() + 1) * 4);
    auto data = std::make_shared<Buffer>(size_t(bytes));
    int32_t* end = offsets->as<int32_t>();
    *end = 0;
    for (auto s : strings_) {
      if (!s.empty()) std::memcpy(data->data() + *end, s.data(), s.size());
      end[1] = *end + int32_t(s.size());
      ++end;
    }
    return make_string(binary ? "z" : "u", int64_t(strings_.size()), std::move(offsets), std::move(data), nullptr);
  }
 private:
  std::vector<int32_t> slots_;
  std::vector<std::string_view> strings_;
};

// The dictionaries of the parts, each once.
std::vector<const Vector*> dictionaries_of(std::span<const Rows> parts) {
  std::vector<const Vector*> found;
  for (const Rows& part : parts) {
    if (!is_dictionary(part)) continue;
    const Vector* d = part.vector->dictionary.get();
    if (std::none_of(found.begin(), found.end(), [&](const Vector* other) { return same_dictionary(*other, *d); })) found.push_back(d);
  }
  return found;
}

// Unifying pays when rows share entries; small pieces of large dictionaries are cheaper as bytes.
bool worth_unifying(std::span<const Rows> parts, const std::vector<const Vector*>& dictionaries, int64_t total) {
  int64_t entries = 0, bytes = 0;
  for (const Rows& part : parts)
    if (!is_dictionary(part) && part.vector->kind != Kind::Null) return false;
  for (const Vector* d : dictionaries) {
    if (d->has_nulls()) return false;
    entries += d->length;
    bytes += d->nbytes;
  }
  return entries * 2 <= total && bytes < INT32_MAX;
}

// Codes of a part's rows by the codes of its dictionary.
void put_codes(const Rows& part, const int32_t* remap, int32_t* out) {
  const Vector& v = *part.vector;
  const bool may_be_null = may_have_nulls(part);
  with_index(part, [&](auto index) {
    for (int64_t i = 0; i < part.n; ++i) {
      const int64_t row = index(i);
      out[i] = may_be_null && !row_valid(v, row) ? 0 : remap[v.code(row)];
    }
  });
}

Work as_dictionary(std::span<const Rows> parts, std::vector<const Vector*> dictionaries, int64_t total, BufferPtr validity, bool binary,
                   VectorPtr& result) {
  constexpr int64_t few = 4096;
  int64_t entries = 0;
  for (const Vector* d : dictionaries) entries += d->length;
  Unified unified(entries);
  std::vector<std::vector<int32_t>> codes(dictionaries.size());
  for (size_t k = 0; k < dictionaries.size(); ++k) {
    const Vector& d = *dictionaries[k];
    codes[k].resize(size_t(d.length));
    for (int64_t from = 0; from < d.length; from += few) {
      for (int64_t i = from; i < std::min(d.length, from + few); ++i) codes[k][size_t(i)] = unified.code(d.str(i));
      co_await give_way;
    }
  }
  auto data = std::make_shared<Buffer>(size_t(total) * 4);
  int32_t* out = data->as<int32_t>();
  for (const Rows& part : parts) {
    if (part.vector->kind == Kind::Null) {
      std::fill_n(out, part.n, 0);
    } else {
      size_t k = 0;
      while (!same_dictionary(*dictionaries[k], *part.vector->dictionary)) ++k;
      put_codes(part, codes[k].data(), out);
    }
    out += part.n;
    co_await give_way;
  }
  result = make_dictionary(total, std::move(data), std::move(validity), unified.vector(binary));
}

// Rows whose dictionary entry is NULL become NULL.
Work without_null_entries(std::span<const Rows> parts, int64_t total, BufferPtr& validity) {
  const auto affected = [](const Rows& part) { return is_dictionary(part) && part.vector->dictionary->has_nulls(); };
  if (std::none_of(parts.begin(), parts.end(), affected)) co_return;
  auto bits = zeroed_bits(total);
  int64_t at = 0;
  for (const Rows& part : parts) {
    with_index(part, [&](auto index) {
      put_bits(bits->data(), at, part.n, [&](int64_t i) { return row_valid(*part.vector, index(i)); });
    });
    at += part.n;
    co_await give_way;
  }
  validity = std::move(bits);
}

}  // namespace

Work concat_strings(std::span<const Rows> parts, int64_t total, BufferPtr validity, VectorPtr& out) {
  const auto typed = std::find_if(parts.begin(), parts.end(), [](const Rows& part) { return part.vector->kind != Kind::Null; });
  const char format = strings_of(*typed).format[0];
  const bool binary = format == 'z' || format == 'Z';
  auto dictionaries = dictionaries_of(parts);
  if (!dictionaries.empty() && worth_unifying(parts, dictionaries, total)) {
    co_await as_dictionary(parts, std::move(dictionaries), total, std::move(validity), binary, out);
    co_return;
  }
  co_await without_null_entries(parts, total, validity);
  co_await as_bytes<int32_t>(parts, total, std::move(validity), binary, out);
}

}  // namespace tableflow
