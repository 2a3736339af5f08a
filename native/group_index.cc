#include "group_index.h"

#include <algorithm>
#include <bit>

#include "deadline.h"
#include "hash.h"

namespace tableflow {

namespace {

constexpr int prefetch_distance = 16;
constexpr size_t cached_bytes = 1 << 18;  // tables up to this size are not prefetched
constexpr int64_t stepwise_groups = 1 << 18;  // smaller tables are rehashed in a blink

uint64_t hash_words(const uint64_t* words, int n) {
  uint64_t hash = hash_value(int64_t(words[0]));
  for (int w = 1; w < n; ++w) hash = hash_combine(hash, words[w]);
  return hash;
}

}  // namespace

KeyIndex::KeyIndex(const std::vector<std::string>& formats) : keys_(formats) {
  if (formats.empty()) {
    mode_ = Mode::Constant;
    size_ = 1;
  } else if (keys_.words() > 1 || formats.size() > 1) {
    mode_ = Mode::Words;
    if (keys_.words() == 1 && !keys_.has_text()) mode_ = Mode::OneWord;
  } else {
    const KeyClass of = keys_.column(0).key_class;
    mode_ = of == KeyClass::Text ? Mode::Text : of == KeyClass::Integer ? Mode::Runs : Mode::OneWord;
  }
  packed_.resize(size_t(piece_rows) * size_t(std::max(1, keys_.words())));
  hashes_.resize(piece_rows);
  values_.resize(piece_rows);
  nulls_.resize(piece_rows);
  cells_.resize(piece_rows);
}

uint32_t KeyIndex::next_group() {
  if (size_ >= int64_t(UINT32_MAX) - 2) throw std::length_error("too many groups");
  return uint32_t(size_++);
}

uint32_t KeyIndex::null_group() {
  if (null_group_ < 0) {
    null_group_ = next_group();
    words_.push_back(0);
  }
  return uint32_t(null_group_);
}

void KeyIndex::find_or_insert(std::span<const Input> inputs, const Piece& piece, uint32_t* groups) {
  if (piece.n == 0) return;
  rehash_fully();
  if (mode_ == Mode::Constant) {
    std::fill_n(groups, piece.n, 0u);
  } else if (find_by_codes(inputs, piece, groups)) {
    return;
  } else if (mode_ == Mode::Text) {
    find_text(inputs, piece, groups);
  } else {
    find_general(inputs, piece, groups);
  }
}

void KeyIndex::find_general(std::span<const Input> inputs, const Piece& piece, uint32_t* groups) {
  if (keys_.columns() == 1 && keys_.words() == 1) {
    find_single(inputs, piece, groups);
    return;
  }
  keys_.pack(inputs, piece, packed_.data());
  if (mode_ == Mode::OneWord) {
    find_one_word(piece.n, reinterpret_cast<const int64_t*>(packed_.data()), nullptr, groups);
  } else {
    find_words(piece.n, groups);
  }
}

void KeyIndex::find_text(std::span<const Input> inputs, const Piece& piece, uint32_t* groups) {
  StringPool& pool = keys_.pool(0);
  const bool any_null = keys_.load(0, inputs[0], piece, values_.data(), nulls_.data());
  const uint32_t null = any_null ? pool.intern_null() : 0;
  for (int i = 0; i < piece.n; ++i) groups[i] = values_[size_t(i)] < 0 ? null : uint32_t(values_[size_t(i)]);
  size_ = pool.size();
}

void KeyIndex::find_single(std::span<const Input> inputs, const Piece& piece, uint32_t* groups) {
  const bool any_null = keys_.load(0, inputs[0], piece, values_.data(), nulls_.data());
  const uint8_t* nulls = any_null ? nulls_.data() : nullptr;
  if (mode_ == Mode::Runs) {
    if (!any_null && find_runs(piece.n, values_.data(), groups)) return;
    leave_runs();
  }
  if (mode_ == Mode::Direct) {
    if (find_direct(piece.n, values_.data(), nulls, groups)) return;
    leave_direct();
  }
  const bool full = slots_wanted(piece.n) > word_slots_.size();
  if (full && size_ && keys_.column(0).key_class == KeyClass::Integer && become_direct()) {
    rehash_fully();
    if (find_direct(piece.n, values_.data(), nulls, groups)) return;
    leave_direct();
  }
  find_one_word(piece.n, values_.data(), nulls, groups);
}

void KeyIndex::reserve_slots(int64_t n) {
  if (mode_ == Mode::Words) {
    tags_.reserve(size_t(size_ + n));
    return;
  }
  const size_t wanted = slots_wanted(n);
  if (wanted <= word_slots_.size()) return;
  begin_rehash(std::bit_ceil(std::max<size_t>(wanted, 1024)));
  rehash_fully();
}

bool KeyIndex::prepare(int64_t rows, const Deadline& deadline) {
  for (int c = 0; c < keys_.columns(); ++c)
    if (keys_.column(c).key_class == KeyClass::Text && !keys_.pool(c).prepare(rows, deadline)) return false;
  if (mode_ == Mode::Text || mode_ == Mode::Constant || mode_ == Mode::Runs || size_ < stepwise_groups) return true;
  if (mode_ == Mode::Words) {
    if (!tags_.moving()) {
      if (tags_.holds(size_t(size_ + rows))) return true;
      tags_.grow(size_t(size_ + rows));
    }
    while (tags_.moving()) {
      tags_.move(TagTable::stride);
      if (deadline.passed()) break;
    }
    return !tags_.moving();
  }
  if (moved_ >= size_) {
    if (mode_ == Mode::Direct) return true;
    if (slots_wanted(rows) <= word_slots_.size()) return true;
    if (keys_.columns() != 1 || keys_.column(0).key_class != KeyClass::Integer || !become_direct())
      begin_rehash(std::bit_ceil(slots_wanted(rows)));
  }
  while (moved_ < size_) {
    rehash_until(std::min(size_, moved_ + Deadline::stride));
    if (deadline.passed()) break;
  }
  return moved_ >= size_;
}

// Makes an empty table; it is filled from the words, what was there before is not read.
void KeyIndex::begin_rehash(size_t capacity) {
  mask_ = capacity - 1;
  moved_ = frozen_ < size_ ? frozen_ : INT64_MAX;
  word_slots_.release();
  word_slots_.resize_zero(capacity);
}

void KeyIndex::rehash_until(int64_t end) {
  const int64_t from = moved_;
  moved_ = end < size_ ? end : INT64_MAX;
  if (mode_ == Mode::Direct) {
    for (int64_t group = from; group < end; ++group)
      if (group != null_group_) direct_[size_t(int64_t(words_[size_t(group)]) - base_)] = uint32_t(group + 1);
    return;
  }
  for (int64_t group = from; group < end; ++group) {
    if (group + prefetch_distance < size_)
      __builtin_prefetch(&word_slots_[hash_value(int64_t(words_[size_t(group + prefetch_distance)])) & mask_], 1);
    if (group == null_group_) continue;
    uint64_t i = hash_value(int64_t(words_[size_t(group)])) & mask_;
    while (word_slots_[i].group) i = (i + 1) & mask_;
    word_slots_[i] = {words_[size_t(group)], uint32_t(group + 1), 0};
  }
}

void KeyIndex::find_one_word(int n, const int64_t* values, const uint8_t* nulls, uint32_t* groups) {
  reserve_slots(n);
  const bool far = word_slots_.size() * sizeof(WordSlot) > cached_bytes;
  for (int i = 0; i < n; ++i) hashes_[size_t(i)] = hash_value(values[i]);
  for (int i = 0; i < n; ++i) {
    if (far && i + prefetch_distance < n) __builtin_prefetch(&word_slots_[hashes_[size_t(i + prefetch_distance)] & mask_], 1);
    if (nulls && nulls[i]) {
      groups[i] = null_group();
      continue;
    }
    const uint64_t key = uint64_t(values[i]);
    if (frozen_) {
      const uint64_t cell = key - uint64_t(base_);
      if (cell < direct_.size() && direct_[cell]) {
        groups[i] = direct_[cell] - 1;
        continue;
      }
    }
    for (uint64_t at = hashes_[size_t(i)] & mask_;; at = (at + 1) & mask_) {
      WordSlot& slot = word_slots_[at];
      if (slot.group && slot.key == key) {
        groups[i] = slot.group - 1;
        break;
      }
      if (!slot.group) {
        groups[i] = next_group();
        slot = {key, groups[i] + 1, 0};
        words_.push_back(key);
        break;
      }
    }
  }
}

void KeyIndex::find_words(int n, uint32_t* groups) {
  reserve_slots(n);
  const int stride = keys_.words();
  const bool far = tags_.bytes() > int64_t(cached_bytes);
  for (int i = 0; i < n; ++i) hashes_[size_t(i)] = hash_words(&packed_[size_t(i * stride)], stride);
  for (int i = 0; i < n; ++i) {
    if (far && i + 2 * prefetch_distance < n) tags_.prefetch(TagTable::tag_of(hashes_[size_t(i + 2 * prefetch_distance)]));
    if (far && i + prefetch_distance < n) {
      const uint32_t likely = tags_.likely(TagTable::tag_of(hashes_[size_t(i + prefetch_distance)]));
      if (likely != TagTable::none) __builtin_prefetch(&words_[size_t(likely) * size_t(stride)]);
    }
    const uint64_t* key = &packed_[size_t(i * stride)];
    const uint32_t tag = TagTable::tag_of(hashes_[size_t(i)]);
    TagTable::Slot& slot = tags_.find(tag, [&](uint32_t group) {
      const uint64_t* known = &words_[size_t(group) * size_t(stride)];
      int w = 0;  // few words: comparing them takes less than a call
      while (w < stride && key[w] == known[w]) ++w;
      return w == stride;
    });
    if (!slot.entry) {
      slot = {tag, next_group() + 1};
      words_.append(key, size_t(stride));
    }
    groups[i] = slot.entry - 1;
  }
}

VectorPtr KeyIndex::column(int c, const Groups& of) {
  if (mode_ == Mode::Text) return keys_.pool_entries(of);
  if (keys_.columns() == 1 && keys_.words() == 1) return keys_.unpack_single(words_.data(), of, null_group_);
  return keys_.unpack(c, words_.data(), of);
}

int64_t KeyIndex::bytes() const {
  const size_t slots = word_slots_.size() * sizeof(WordSlot);
  const size_t lists = segments_.capacity() * sizeof(Segment) + (direct_.capacity() + grid_.capacity()) * sizeof(uint32_t);
  return keys_.bytes() + words_.held() + tags_.bytes() + int64_t(slots + lists);
}

int64_t KeyIndex::bytes_after(int64_t rows) const {
  if (mode_ == Mode::Constant) return bytes();
  const int64_t groups = size_ + rows;
  const int64_t word_bytes = std::max<int64_t>(int64_t(words_.capacity()) * 8, 2 * groups * 8 * std::max(1, keys_.words()));
  int64_t slots = 0;
  if (mode_ == Mode::OneWord || mode_ == Mode::Runs) {  // which may end
    const int64_t wanted = int64_t(std::bit_ceil(uint64_t(groups * 5 / 3 + 1024)));
    slots = std::max(int64_t(word_slots_.size()), wanted) * int64_t(sizeof(WordSlot)) + int64_t(direct_.capacity()) * 4;
    if (mode_ == Mode::Runs) slots = std::max(slots, std::max(direct_least, direct_ratio * groups) * 4);
  } else if (mode_ == Mode::Words) {
    slots = tags_.bytes_for(size_t(groups));
  } else if (mode_ == Mode::Direct) {
    slots = int64_t(direct_.size()) * 4 + std::max(direct_least, direct_ratio * groups) * 4;
  } else {
    slots = groups * 64;
  }
  return keys_.bytes() + word_bytes + slots;
}

}  // namespace tableflow
