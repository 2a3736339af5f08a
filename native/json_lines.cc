#include "json_lines.h"

#include <unordered_set>

#include "json_value.h"

namespace tableflow {

namespace {

constexpr size_t kMostRemembered = 256;  // keys of an object
constexpr size_t kLookAhead = 8;
constexpr int64_t kMargin = 64;
constexpr int64_t kFewKeys = 16;

TextDefinition row_of(std::vector<TextDefinition> fields) {
  TextDefinition row;
  row.kind = TextKind::Row;
  row.children = std::move(fields);
  return row;
}

// Whether a key of the map that is being read comes twice.
bool repeats(const TextColumn& keys, int64_t from) {
  if (keys.length - from <= kFewKeys) {
    for (int64_t i = from; i < keys.length; ++i)
      for (int64_t j = from; j < i; ++j)
        if (keys.text_at(i) == keys.text_at(j)) return true;
    return false;
  }
  std::unordered_set<std::string_view> seen;
  for (int64_t i = from; i < keys.length; ++i)
    if (!seen.insert(keys.text_at(i)).second) return true;
  return false;
}

}  // namespace

inline bool JsonLines::Key::stands_at(const uint8_t* p) const {
#ifdef __SSE2__
  int32_t left = size;
  for (const uint8_t* key = quoted;; key += 16, p += 16, left -= 16) {
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const unsigned same = unsigned(_mm_movemask_epi8(_mm_cmpeq_epi8(here, _mm_load_si128(reinterpret_cast<const __m128i*>(key)))));
    if (left <= 16) return (~same & ((1u << left) - 1)) == 0;
    if (same != 0xffff) return false;
  }
#else
  return std::memcmp(p, quoted, size_t(size)) == 0;
#endif
}

JsonLines::JsonLines(std::vector<TextDefinition> fields, bool complete)
    : root_(row_of(std::move(fields))), keys_(keys_of(root_)), complete_(complete) {}

JsonLines::Keys JsonLines::keys_of(const TextColumn& column) {
  Keys keys;
  for (size_t i = 0; i < column.children.size(); ++i) {
    if (column.definition.kind == TextKind::Row) keys.declared.emplace(column.children[i].definition.name, int(i));
    keys.children.push_back(keys_of(column.children[i]));
  }
  return keys;
}

int64_t JsonLines::decode(const uint8_t* data, int64_t size, int64_t at) {
  if (at < 0 || at > size) throw std::out_of_range("a position outside of the text");
  root_.reserve(root_.length + count_byte(data + at, size - at, '\n') + 1);
  // Where the margin behind a line is not there, the line is copied to where it is.
  int64_t near = size - kMargin;
  while (near > at && data[near - 1] != '\n') --near;
  if (near > at) {
    const uint8_t* stopped = lines(data + at, data + near);
    if (stopped != data + near) return stopped - data;
    at = near;
  }
  std::string rest(reinterpret_cast<const char*>(data + at), size_t(size - at));
  rest += '\n';
  const size_t text = rest.size();
  rest.append(size_t(kMargin), '\n');
  const auto* begin = reinterpret_cast<const uint8_t*>(rest.data());
  const uint8_t* stopped = lines(begin, begin + text);
  return std::min(size, at + (stopped - begin));
}

const uint8_t* JsonLines::lines(const uint8_t* p, const uint8_t* end) {
  while (p < end) {
    const uint8_t* begin = p;
    p = skip_blanks(p);
    if (*p != '\n') {
      const int64_t row = root_.length;
      p = *p == '{' ? object(root_, keys_, p) : nullptr;
      if (p) p = skip_blanks(p);
      if (!p || *p != '\n') {
        root_.truncate(row);
        return begin;
      }
    }
    ++p;
  }
  return end;
}

const uint8_t* JsonLines::find_key(Keys& keys, const uint8_t* p, size_t* turn, int* child) {
  for (size_t i = *turn; i < keys.order.size() && i < *turn + kLookAhead; ++i) {
    if (!keys.order[i].stands_at(p)) continue;
    *turn = i + 1;
    *child = keys.order[i].child;
    return p + keys.order[i].size;
  }
  const uint8_t* end = skip_string(p + 1);
  if (!end) return nullptr;
  std::string_view name(reinterpret_cast<const char*>(p + 1), size_t(end - p - 2));
  const bool plain = name.find('\\') == name.npos;
  if (!plain) {
    scratch_.resize(name.size() + 16);
    auto* out = reinterpret_cast<uint8_t*>(scratch_.data());
    const uint8_t* behind = unescape(p + 1, out);
    if (!behind) return nullptr;
    name = {scratch_.data(), size_t(behind - out)};
  }
  const auto found = keys.declared.find(name);
  *child = found == keys.declared.end() ? -1 : found->second;
  if (size_t(end - p) <= kLongestKey && keys.order.size() < kMostRemembered) {
    Key key;
    std::memcpy(key.quoted, p, size_t(end - p));
    key.size = int32_t(end - p);
    key.child = *child;
    keys.order.insert(keys.order.begin() + int64_t(*turn), key);
    ++*turn;
  }
  return end;
}

const uint8_t* JsonLines::object(TextColumn& row, Keys& keys, const uint8_t* p) {
  const int64_t number = row.length;
  size_t turn = 0, given = 0;
  p = skip_blanks(p + 1);
  if (*p == '}') {
    ++p;
  } else {
    for (;;) {
      if (*p != '"') return nullptr;
      int child = -1;
      if (turn < keys.order.size() && keys.order[turn].stands_at(p)) {
        child = keys.order[turn].child;
        p += keys.order[turn].size;
        ++turn;
      } else {
        p = find_key(keys, p, &turn, &child);
        if (!p) return nullptr;
      }
      p = skip_blanks(p);
      if (*p != ':') return nullptr;
      p = skip_blanks(p + 1);
      if (child < 0) {
        p = skip_value(p);
      } else {
        TextColumn& column = row.children[size_t(child)];
        if (column.length != number) return nullptr;  // it comes twice
        p = value(column, keys.children[size_t(child)], p);
        ++given;
      }
      if (!p) return nullptr;
      p = skip_blanks(p);
      if (*p == '}') break;
      if (*p != ',') return nullptr;
      p = skip_blanks(p + 1);
    }
    ++p;
  }
  if (given != row.children.size()) {
    if (complete_ && &row == &root_) return nullptr;
    for (TextColumn& column : row.children)
      if (column.length == number) column.append_null();
  }
  row.end_nested();
  return p;
}

const uint8_t* JsonLines::array(TextColumn& column, Keys& keys, const uint8_t* p) {
  if (*p != '[') return nullptr;
  p = skip_blanks(p + 1);
  if (*p == ']') {
    ++p;
  } else {
    for (;;) {
      p = value(column.children[0], keys.children[0], p);
      if (!p) return nullptr;
      p = skip_blanks(p);
      if (*p == ']') break;
      if (*p != ',') return nullptr;
      p = skip_blanks(p + 1);
    }
    ++p;
  }
  column.end_nested();
  return p;
}

const uint8_t* JsonLines::map(TextColumn& column, Keys& keys, const uint8_t* p) {
  if (*p != '{') return nullptr;
  TextColumn& names = column.children[0];
  const int64_t from = names.length;
  p = skip_blanks(p + 1);
  if (*p == '}') {
    ++p;
  } else {
    for (;;) {
      if (*p != '"') return nullptr;
      p = json_text(names, p);
      if (!p) return nullptr;
      p = skip_blanks(p);
      if (*p != ':') return nullptr;
      p = value(column.children[1], keys.children[1], skip_blanks(p + 1));
      if (!p) return nullptr;
      p = skip_blanks(p);
      if (*p == '}') break;
      if (*p != ',') return nullptr;
      p = skip_blanks(p + 1);
    }
    ++p;
  }
  if (repeats(names, from)) return nullptr;
  column.end_nested();
  return p;
}

const uint8_t* JsonLines::value(TextColumn& column, Keys& keys, const uint8_t* p) {
  if (*p == 'n') {
    if (!is_word(p, "null")) return nullptr;
    column.append_null();
    return p + 4;
  }
  switch (column.definition.kind) {
    case TextKind::Row: return *p == '{' ? object(column, keys, p) : nullptr;
    case TextKind::Array: return array(column, keys, p);
    case TextKind::Map: return map(column, keys, p);
    default: return json_scalar(column, p);
  }
}

std::vector<TextResult> JsonLines::finish() {
  TextResult whole = root_.finish();
  return std::move(whole.children);
}

}  // namespace tableflow
