// Rows by slot: a column is an array of values of one width, strings of more than twelve bytes lie in blocks that die with their row,
// or in the memory of the batch they came in.
//
// What a piece of a batch holds is loaded first, whatever its representation; then rows of it are compared with stored ones, hashed
// and stored.  Equality is that of grouping: NULL equals NULL, -0.0 equals 0.0, one NaN, intervals by their length.
#pragma once

#include <string_view>

#include "group_keys.h"
#include "group_memory.h"
#include "pinned_texts.h"
#include "text_blocks.h"

namespace tableflow {

constexpr uint32_t no_slot = UINT32_MAX;

// One column of a piece.
struct LoadedColumn {
  std::vector<int64_t> values;  // two for each wide value
  std::vector<std::string_view> texts;
  std::vector<uint8_t> nulls;
  bool any_null = false;
};

class RowStore {
 public:
  explicit RowStore(const std::vector<std::string>& formats);

  int columns() const { return int(columns_.size()); }
  const KeyColumn& type(int c) const { return columns_[size_t(c)].type; }
  // Throws std::invalid_argument when the vector cannot hold values of the column's type.
  void load(int c, const Input& input, const Piece& piece, LoadedColumn& out) const;
  uint64_t hash(int c, const LoadedColumn& from, int i) const;
  bool same(int c, const LoadedColumn& from, int i, uint32_t slot) const;
  uint64_t hash_stored(int c, uint32_t slot) const;
  int compare(int c, uint32_t a, uint32_t b) const;  // of values that are not NULL: below, equal to or above zero
  int compare(int c, const LoadedColumn& from, int i, uint32_t slot) const;
  int64_t integer(int c, uint32_t slot) const;  // of a column of class Integer
  bool is_null(int c, uint32_t slot) const { return columns_[size_t(c)].is_null(slot); }

  // What is put next is of a batch of which so many rows are for this one of `stores` stores: memory of it may be kept instead of
  // copying strings.  No rows, as at first: it may not.
  void share(int64_t rows, int stores) { pins_.share(rows, stores); }
  // Before rows of these are put.
  void begin(std::span<const Input> inputs);
  // Copies strings out of memory that few of them keep alive, when that is worth while; looks at no more than so many slots.
  void tidy(size_t slots);

  void resize(size_t slots);  // never less than before
  void put(int c, const LoadedColumn& from, int i, uint32_t slot);
  void drop(uint32_t slot);  // its strings are given back
  void move(uint32_t from, uint32_t to);  // where there is no row
  void shrink(size_t rows, size_t slots);  // only the first have a row; room for `slots` remains
  // The values at these slots; with `nullable` no_slot gives NULL.
  VectorPtr gather(int c, const uint32_t* slots, int64_t n, bool nullable) const;
  int64_t bytes() const;
  int64_t bytes_per_row() const;
  void clear();

 private:
  // Up to twelve bytes are here; of longer ones the last eight of these say where they lie, the first four in which pin, or 0.
  struct Text {
    uint32_t length = 0;
    char bytes[12] = {};
    char* data() const {
      char* at;
      std::memcpy(&at, bytes + 4, sizeof(at));
      return at;
    }
    uint32_t pin() const {
      uint32_t number;
      std::memcpy(&number, bytes, sizeof(number));
      return number;
    }
    void point_to(const char* at, uint32_t pin) {
      std::memcpy(bytes, &pin, sizeof(pin));
      std::memcpy(bytes + 4, &at, sizeof(at));
    }
    bool is_long() const { return length > sizeof(bytes); }
    std::string_view view() const { return {is_long() ? data() : bytes, length}; }
  };
  struct Stored {
    explicit Stored(const std::string& format) : type(format) {}
    KeyColumn type;
    int width = 0;
    uint32_t pin = 0;  // where the strings of the batch at hand are
    Array<uint8_t> data;
    Array<uint8_t> nulls;  // empty until there is one
    template <class T> T get(uint32_t slot) const {
      T value;
      std::memcpy(&value, data.data() + size_t(slot) * sizeof(T), sizeof(T));
      return value;
    }
    template <class T> void set(uint32_t slot, T value) { std::memcpy(data.data() + size_t(slot) * sizeof(T), &value, sizeof(T)); }
    bool is_null(uint32_t slot) const { return !nulls.empty() && nulls[slot]; }
    bool text() const { return type.key_class == KeyClass::Text; }
    int64_t integer(uint32_t slot) const;
  };
  std::vector<Stored> columns_;
  static Text copied(std::string_view value, TextBlocks& blocks);
  void give(const Text& text);

  TextBlocks blocks_;
  PinnedTexts pins_;
  size_t slots_ = 0;
  size_t tidied_ = 0;  // the slot that is looked at next
};

}  // namespace tableflow
