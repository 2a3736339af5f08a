#include "json_skip.h"

namespace tableflow {

namespace {

int hexadecimal(uint8_t c) {
  if (is_digit(c)) return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The number of four hexadecimal digits, or -1.
int32_t code_unit(const uint8_t* p) {
  int32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hexadecimal(p[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// What a letter behind a backslash means; 0 if nothing.
uint8_t escaped(uint8_t c) {
  switch (c) {
    case '"': case '\\': case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

uint8_t* encode(uint32_t character, uint8_t* out) {
  if (character < 0x80) {
    *out++ = uint8_t(character);
  } else if (character < 0x800) {
    *out++ = uint8_t(0xc0 | character >> 6);
    *out++ = uint8_t(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    *out++ = uint8_t(0xe0 | character >> 12);
    *out++ = uint8_t(0x80 | (character >> 6 & 0x3f));
    *out++ = uint8_t(0x80 | (character & 0x3f));
  } else {
    *out++ = uint8_t(0xf0 | character >> 18);
    *out++ = uint8_t(0x80 | (character >> 12 & 0x3f));
    *out++ = uint8_t(0x80 | (character >> 6 & 0x3f));
    *out++ = uint8_t(0x80 | (character & 0x3f));
  }
  return out;
}

}  // namespace

const uint8_t* skip_string(const uint8_t* p) {
  for (;;) {
    p = text_end(p);
    if (*p == '"') return p + 1;
    if (*p != '\\') return nullptr;
    if (p[1] == 'u') {
      if (code_unit(p + 2) < 0) return nullptr;
      p += 6;
    } else {
      if (!escaped(p[1])) return nullptr;
      p += 2;
    }
  }
}

uint8_t* unescape(const uint8_t* p, uint8_t* out) {
  for (;;) {
    const uint8_t* end = text_end(p);
    std::memcpy(out, p, size_t(end - p));
    out += end - p;
    p = end;
    if (*p == '"') return out;
    if (p[1] != 'u') {
      *out++ = escaped(p[1]);
      p += 2;
      continue;
    }
    uint32_t character = uint32_t(code_unit(p + 2));
    p += 6;
    if (character >= 0xd800 && character < 0xe000) {
      if (character >= 0xdc00 || p[0] != '\\' || p[1] != 'u') return nullptr;
      const int32_t low = code_unit(p + 2);
      if (low < 0xdc00 || low >= 0xe000) return nullptr;
      character = 0x10000 + ((character - 0xd800) << 10) + uint32_t(low - 0xdc00);
      p += 6;
    }
    out = encode(character, out);
  }
}

const uint8_t* skip_value(const uint8_t* p) {
  uint64_t objects[kDeepestJson / 64];  // a bit for each level: whether it is an object
  int depth = 0;
  bool wants_key = false;
  for (;;) {
    if (wants_key) {
      if (*p != '"') return nullptr;
      p = skip_string(p + 1);
      if (!p) return nullptr;
      p = skip_blanks(p);
      if (*p != ':') return nullptr;
      p = skip_blanks(p + 1);
      wants_key = false;
    }
    switch (*p) {
      case '"': p = skip_string(p + 1); break;
      case 't': p = is_word(p, "true") ? p + 4 : nullptr; break;
      case 'n': p = is_word(p, "null") ? p + 4 : nullptr; break;
      case 'f': p = is_word(p + 1, "alse") ? p + 5 : nullptr; break;
      case '{': case '[': {
        if (depth == kDeepestJson) return nullptr;
        const bool object = *p == '{';
        uint64_t& word = objects[depth / 64];
        word = (word & ~(uint64_t(1) << depth % 64)) | uint64_t(object) << depth % 64;
        ++depth;
        p = skip_blanks(p + 1);
        if (*p != (object ? '}' : ']')) {
          wants_key = object;
          continue;
        }
        --depth;
        ++p;
        break;
      }
      default: p = number_end(p);
    }
    if (!p) return nullptr;
    for (;;) {  // behind a value: levels that end here, then the next value of the innermost
      if (!depth) return p;
      p = skip_blanks(p);
      const bool object = objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
      if (*p == ',') {
        p = skip_blanks(p + 1);
        wants_key = object;
        break;
      }
      if (*p != (object ? '}' : ']')) return nullptr;
      --depth;
      ++p;
    }
  }
}

}  // namespace tableflow
