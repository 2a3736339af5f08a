// State as bytes: plain values one after the other, read back by the version that wrote them.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "group_memory.h"

namespace tableflow {

class StateWriter {
 public:
  template <class T> void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  void put_text(std::string_view text) {
    put(uint64_t(text.size()));
    bytes_.append(text);
  }
  template <class T> void put_array(const Array<T>& values) {
    put(uint64_t(values.size()));
    if (!values.empty()) bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Throws std::invalid_argument when there is less than is asked for.
class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : bytes_(bytes) {}
  template <class T> T get() {
    T value;
    std::memcpy(static_cast<void*>(&value), take(sizeof(T)), sizeof(T));
    return value;
  }
  std::string_view get_text() {
    const auto size = get<uint64_t>();
    return {take(size), size};
  }
  template <class T> void get_array(Array<T>& values) {
    const auto size = get<uint64_t>();
    if (size > bytes_.size() / sizeof(T)) throw std::invalid_argument("a saved state is damaged");
    const char* from = take(size * sizeof(T));
    values.release();
    values.resize_zero(size);
    if (size) std::memcpy(static_cast<void*>(values.data()), from, size * sizeof(T));
  }

 private:
  const char* take(size_t n) {
    if (n > bytes_.size()) throw std::invalid_argument("a saved state is damaged");
    const char* at = bytes_.data();
    bytes_.remove_prefix(n);
    return at;
  }
  std::string_view bytes_;
};

}  // namespace tableflow
