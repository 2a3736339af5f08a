// JSON text that is passed over: it is checked as strictly as what is decoded, but nothing is kept.
//
// All functions rely on a line end behind the value, which ends every scan, and 64 bytes that may be read behind that.
#pragma once

#include <cstdint>

#include "text_scan.h"
#include "text_value.h"

namespace tableflow {

constexpr int kDeepestJson = 512;

inline const uint8_t* skip_blanks(const uint8_t* p) {
  while (*p == ' ' || *p == '\t' || *p == '\r') ++p;
  return p;
}

inline bool is_word(const uint8_t* p, const char (&word)[5]) { return std::memcmp(p, word, 4) == 0; }

// Behind the closing quote of a string whose first byte is at p; null if it is none.
const uint8_t* skip_string(const uint8_t* p);
// Behind any value; null if it is none or nested too deeply.
const uint8_t* skip_value(const uint8_t* p);
// Decodes a string whose first byte is at p, which must be a string; `out` has room for as many bytes as it has in the text.
// Returns behind the last byte; null if it has half a surrogate pair, which is no character.
uint8_t* unescape(const uint8_t* p, uint8_t* out);

}  // namespace tableflow
