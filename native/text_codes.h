// Strings by the numbers of one dictionary that grows chunk by chunk; single owner.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "group_strings.h"

namespace tableflow {

class TextCodes {
 public:
  struct Chunk {
    VectorPtr codes;         // int32, NULL where the string is; each below `entries` of the dictionary
    int64_t text_bytes = 0;  // of all strings, repetitions too
    bool any = false;        // whether there is a string, and so bounds
    std::string low, high;
  };

  // Pieces are strings, dictionaries of strings, or NULL.  Codes of damaged dictionaries throw std::invalid_argument.
  Chunk add(std::span<const VectorPtr> pieces);
  int64_t entries() const { return pool_.size(); }
  int64_t entry_bytes() const { return entry_bytes_; }
  // The dictionary so far.
  VectorPtr dictionary(bool binary) const;

 private:
  uint32_t code_of(std::string_view text, Chunk& chunk);
  void note(uint32_t code, Chunk& chunk);
  void add_plain(const Vector& v, int32_t* out, uint8_t* valid, int64_t at, Chunk& chunk);
  void add_coded(const Vector& v, int32_t* out, uint8_t* valid, int64_t at, Chunk& chunk);

  StringPool pool_;
  int64_t entry_bytes_ = 0;
  std::vector<uint32_t> seen_;  // by code: the chunk that had it last
  uint32_t chunk_ = 0;
};

}  // namespace tableflow
