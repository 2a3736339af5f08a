#include "group_strings.h"

#include <algorithm>

#include "deadline.h"

namespace tableflow {

namespace {

constexpr size_t stepwise_entries = 1 << 18;  // smaller tables are rehashed in a blink
constexpr size_t prefetch_distance = 16;

}  // namespace

uint32_t StringPool::intern(std::string_view text, uint64_t hash) {
  if ((entries_.size() + 1) * 2 > slots_.size() || moved_ < entries_.size()) reserve(1);
  const uint32_t tag = uint32_t(hash >> 32);
  for (uint64_t i = hash & mask_;; i = (i + 1) & mask_) {
    Slot& slot = slots_[i];
    if (slot.entry == 0) {
      if (entries_.size() >= none - 2) throw std::length_error("too many distinct strings");
      entries_.push_back(keep(text));
      hashes_.push_back(hash);
      slot = {tag, uint32_t(entries_.size())};
      return slot.entry - 1;
    }
    if (slot.tag == tag && entries_[slot.entry - 1] == text) return slot.entry - 1;
  }
}

uint32_t StringPool::intern_null() {
  if (null_ == none) {
    null_ = uint32_t(entries_.size());
    entries_.push_back({});
    hashes_.push_back(0);
  }
  return null_;
}

void StringPool::reserve(int64_t n) {
  const size_t capacity = capacity_for(n);
  if (capacity != slots_.size()) begin_rehash(capacity);
  if (moved_ < entries_.size()) rehash_until(entries_.size());
}

bool StringPool::prepare(int64_t n, const Deadline& deadline) {
  if (entries_.size() < stepwise_entries) return true;
  if (moved_ >= entries_.size()) {
    const size_t capacity = capacity_for(n);
    if (capacity == slots_.size()) return true;
    begin_rehash(capacity);
  }
  while (moved_ < entries_.size()) {
    rehash_until(std::min(entries_.size(), moved_ + size_t(Deadline::stride)));
    if (deadline.passed()) break;
  }
  return moved_ >= entries_.size();
}

size_t StringPool::capacity_for(int64_t n) const {
  const size_t wanted = (entries_.size() + size_t(n) + 1) * 2;
  size_t capacity = std::max<size_t>(64, slots_.size());
  while (capacity < wanted) capacity *= 2;
  return capacity;
}

void StringPool::begin_rehash(size_t capacity) {
  slots_.release();
  slots_.resize_zero(capacity);
  mask_ = capacity - 1;
  moved_ = entries_.empty() ? SIZE_MAX : 0;
}

void StringPool::rehash_until(size_t end) {
  const size_t from = moved_;
  moved_ = end < entries_.size() ? end : SIZE_MAX;
  for (size_t id = from; id < end; ++id) {
    if (id + prefetch_distance < hashes_.size()) __builtin_prefetch(&slots_[hashes_[id + prefetch_distance] & mask_], 1);
    if (id == null_) continue;
    uint64_t i = hashes_[id] & mask_;
    while (slots_[i].entry) i = (i + 1) & mask_;
    slots_[i] = {uint32_t(hashes_[id] >> 32), uint32_t(id + 1)};
  }
}

std::string_view StringPool::keep(std::string_view text) {
  if (page_used_ + text.size() > page_size_ || pages_.empty()) {
    page_size_ = std::max(text.size(), std::clamp<size_t>(size_t(page_bytes_), 4096, 1 << 20));
    pages_.push_back(std::make_unique_for_overwrite<char[]>(page_size_));
    page_bytes_ += int64_t(page_size_);
    page_used_ = 0;
  }
  char* at = pages_.back().get() + page_used_;
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  page_used_ += text.size();
  return {at, text.size()};
}

int64_t StringPool::bytes() const {
  return int64_t(slots_.capacity() * sizeof(Slot) + entries_.capacity() * (sizeof(std::string_view) + 8)) + page_bytes_ +
         (vector_ ? vector_->nbytes : 0);
}

const VectorPtr& StringPool::vector() {
  if (!vector_ || vector_->length != size()) {
    int64_t bytes = 0;
    for (const auto& entry : entries_) bytes += int64_t(entry.size());
    StringWriter out(size(), bytes);
    for (uint32_t id = 0; id < entries_.size(); ++id) out.append(entries_[id]);
    vector_ = out.finish(false);
  }
  return vector_;
}

StringWriter::StringWriter(int64_t rows, int64_t bytes) : rows_(rows), large_(bytes > INT32_MAX) {
  offsets_ = std::make_shared<Buffer>(size_t(rows + 1) * (large_ ? 8 : 4));
  std::memset(offsets_->data(), 0, large_ ? 8 : 4);
  data_ = std::make_shared<Buffer>(size_t(bytes));
}

void StringWriter::append(std::string_view text) {
  if (!text.empty()) std::memcpy(data_->data() + at_, text.data(), text.size());
  at_ += int64_t(text.size());
  end_row();
}

void StringWriter::append_null() {
  if (!validity_) {
    validity_ = std::make_shared<Buffer>(size_t(rows_ + 7) / 8);
    std::memset(validity_->data(), 0xff, validity_->size());
  }
  validity_->data()[row_ >> 3] &= uint8_t(~(1u << (row_ & 7)));
  ++nulls_;
  end_row();
}

void StringWriter::end_row() {
  ++row_;
  if (large_) {
    offsets_->as<int64_t>()[row_] = at_;
  } else {
    offsets_->as<int32_t>()[row_] = int32_t(at_);
  }
}

VectorPtr StringWriter::finish(bool binary) {
  const char* format = large_ ? (binary ? "Z" : "U") : (binary ? "z" : "u");
  return make_string(format, rows_, std::move(offsets_), std::move(data_), std::move(validity_), nulls_);
}

}  // namespace tableflow
