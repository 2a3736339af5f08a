// JSON lines into columns: one object per line, the declared fields only, in any order.
//
// A line that is not plain (a value that does not fit its type as it stands, a key that comes twice, text that is no JSON) stops the
// decoder in front of it; the caller reads that line by slower means and goes on behind it.  Bytes are untrusted, but known to be UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text_column.h"

namespace tableflow {

class JsonLines {
 public:
  // `complete`: a line without one of the fields is not plain.
  JsonLines(std::vector<TextDefinition> fields, bool complete);

  // Decodes the lines from `at` on; returns the offset of the first line that is not plain, or `size`.
  int64_t decode(const uint8_t* data, int64_t size, int64_t at);
  int64_t rows() const { return root_.length; }
  // The columns of the rows so far, which are forgotten.
  std::vector<TextResult> finish();

 private:
  // Where keys stood in the objects before, of one place in the schema: they mostly stand there again.
  static constexpr size_t kLongestKey = 48;  // of those that are remembered; a multiple of 16
  struct Key {
    alignas(16) uint8_t quoted[kLongestKey] = {};  // with both quotes, then zeros
    int32_t size = 0;
    int child = -1;  // -1: not declared

    // Whether it is what stands at p, from where 64 bytes may be read.
    bool stands_at(const uint8_t* p) const;
  };
  struct Keys {
    std::vector<Key> order;
    std::unordered_map<std::string_view, int> declared;
    std::vector<Keys> children;
  };

  static Keys keys_of(const TextColumn& column);
  // Lines in [p, end): each ends with a line end, and 64 bytes may be read behind the last.
  const uint8_t* lines(const uint8_t* p, const uint8_t* end);
  const uint8_t* value(TextColumn& column, Keys& keys, const uint8_t* p);
  const uint8_t* object(TextColumn& column, Keys& keys, const uint8_t* p);
  const uint8_t* array(TextColumn& column, Keys& keys, const uint8_t* p);
  const uint8_t* map(TextColumn& column, Keys& keys, const uint8_t* p);
  const uint8_t* find_key(Keys& keys, const uint8_t* p, size_t* turn, int* child);

  TextColumn root_;
  Keys keys_;
  bool complete_;
  std::string scratch_;  // a key that has escapes
};

}  // namespace tableflow
