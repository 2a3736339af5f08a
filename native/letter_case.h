// Texts in small or capital letters, character by character as Unicode's simple mappings say.
#pragma once

#include <cstdint>
#include <string_view>

namespace tableflow {

// Where there are only ASCII characters: as many bytes are written as there are.  False if there are others; what is written then is arbitrary.
bool change_ascii_case(std::string_view text, bool capital, char* to);
// Any bytes; room for most_case_bytes() is needed.  What is no character stays as it is.  Returns how many bytes were written.
int64_t change_case(std::string_view text, bool capital, char* to);
// A character of two bytes may become one of three.
inline int64_t most_case_bytes(int64_t size) { return size + size / 2; }

}  // namespace tableflow
