// Key columns as fixed-width words: what hash tables store and compare, whatever the columns' representation.
//
// Integers, decimals and times are their value, intervals their length, floats their ordered bits, strings the number of their entry in a pool of
// the table.  One column of at most 64 bits is a word of its own (NULL is told apart beside it); several columns are packed
// together with a NULL bit each (of strings NULL is an entry of the pool), so that equal keys are equal words.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include "group_input.h"
#include "group_numbers.h"
#include "group_strings.h"

namespace tableflow {

enum class KeyClass : uint8_t { Integer, Wide, Real, Text };

struct KeyColumn {
  explicit KeyColumn(std::string arrow_format);
  std::string format;  // canonical Arrow format of the SQL type
  std::string storage;  // and of the exported column: short decimals are scaled integers
  Kind kind;
  KeyClass key_class;
  int bits;
  int word = 0, shift = 0;            // where the value is packed
  int null_word = 0, null_shift = 0;  // where its NULL bit is
};

// Codes of the dictionary seen last, as numbers in the pool; strings are hashed once per entry.
struct DictionaryMap {
  VectorPtr dictionary;
  std::vector<uint32_t> ids;
};

// values[i] (two words each for Wide columns) and nulls[i] of a column that is not Text; returns whether any is NULL, and only then
// fills `nulls`.  Throws std::invalid_argument when the vector cannot hold values of the type.
bool load_fixed(const KeyColumn& column, const Input& input, const Piece& piece, int64_t* values, uint8_t* nulls);

class KeyWords {
 public:
  explicit KeyWords(const std::vector<std::string>& formats);

  int columns() const { return int(columns_.size()); }
  int words() const { return words_; }
  bool has_text() const {
    return std::any_of(columns_.begin(), columns_.end(), [](const KeyColumn& column) { return column.key_class == KeyClass::Text; });
  }
  const KeyColumn& column(int c) const { return columns_[size_t(c)]; }
  StringPool& pool(int c) { return pools_[size_t(c)]; }
  const StringPool& pool(int c) const { return pools_[size_t(c)]; }

  // As load_fixed, and for Text the number of the string in the column's pool.
  bool load(int column, const Input& input, const Piece& piece, int64_t* values, uint8_t* nulls);
  // Packed words, row after row.
  void pack(std::span<const Input> inputs, const Piece& piece, uint64_t* words);
  // Some groups' values of a column, out of all groups' packed words.
  VectorPtr unpack(int column, const uint64_t* words, const Groups& of);
  // The only column, out of one word per group; group `null_group` (or none: -1) is NULL.
  VectorPtr unpack_single(const uint64_t* words, const Groups& of, int64_t null_group);
  // The only, textual column: entries of its pool.
  VectorPtr pool_entries(const Groups& of);
  int64_t bytes() const;

 private:
  void load_text(int column, const Input& input, const Piece& piece, int64_t* values);
  void load_codes(int column, const Input& input, const Piece& piece, int64_t* values);
  template <class Null, class Value> VectorPtr column_of(int column, int64_t n, Null null, Value value);
  VectorPtr text_column(int column, const std::vector<uint32_t>& ids);

  std::vector<KeyColumn> columns_;
  std::vector<StringPool> pools_;
  std::vector<DictionaryMap> maps_;
  int words_ = 0;
  std::vector<int64_t> values_;
  std::vector<uint8_t> nulls_;
  std::vector<uint64_t> hashes_;
};

bool same_entries(const Vector& a, const Vector& b);

}  // namespace tableflow
