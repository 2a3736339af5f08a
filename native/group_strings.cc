#include "group_strings.h"

#include <algorithm>

#include "deadline.h"

namespace tableflow {

namespace {

constexpr size_t stepwise_entries = 1 << 18;  // smaller tables are rehashed in a blink

}  // namespace

uint32_t StringPool::intern(std::string_view text, uint64_t hash) {
  if (!slots_.holds(places_.size() + 1) || slots_.moving()) slots_.reserve(places_.size() + 1);
  const uint32_t tag = TagTable::tag_of(hash);
  TagTable::Slot& slot = slots_.find(tag, [&](uint32_t place) { return this->text(place) == text; });
  if (slot.entry) return number(slot.entry - 1);
  push_back(text);
  slot = {tag, places_[places_.size() - 1] + 1};
  return uint32_t(places_.size() - 1);
}

uint32_t StringPool::intern_null() {
  if (null_ == none) {
    push_back({});
    null_ = uint32_t(places_.size() - 1);
  }
  return null_;
}

void StringPool::push_back(std::string_view text) {
  if (places_.size() >= (size_t(1) << bits) - 1) throw std::length_error("too many distinct strings");
  if (text.size() > UINT32_MAX) throw std::length_error("a string is longer than 4 GiB");
  const size_t at = text_.size(), place = at / unit;
  if (place >= TagTable::none - 1) throw std::length_error("distinct strings take more than 16 GiB");
  const auto number = uint32_t(places_.size()), length = uint32_t(text.size());
  const bool longer = length >= is_long;
  const size_t head = head_bytes + (longer ? sizeof(length) : 0);
  text_.resize_raw(at + (head + length + unit - 1) / unit * unit);
  char* const entry = text_.data() + at;
  std::memcpy(entry, &number, sizeof(number));
  entry[head_bytes - 1] = char(longer ? is_long : length);
  if (longer) std::memcpy(entry + head_bytes, &length, sizeof(length));
  if (length) std::memcpy(entry + head, text.data(), length);
  text_bytes_ += text.size();
  places_.push_back(uint32_t(place));
}

void StringPool::reserve(int64_t n) { slots_.reserve(places_.size() + size_t(n)); }

bool StringPool::prepare(int64_t n, const Deadline& deadline) {
  if (places_.size() < stepwise_entries) return true;
  if (!slots_.moving()) {
    if (slots_.holds(places_.size() + size_t(n))) return true;
    slots_.grow(places_.size() + size_t(n));
  }
  while (slots_.moving()) {
    slots_.move(TagTable::stride);
    if (deadline.passed()) break;
  }
  return !slots_.moving();
}

int64_t StringPool::bytes() const {
  return slots_.bytes() + text_.held() + places_.held() + (vector_ ? vector_->nbytes : 0);
}

const VectorPtr& StringPool::vector() {
  if (!vector_ || vector_->length != size()) {
    StringWriter out(size(), int64_t(text_bytes_));
    for (uint32_t id = 0; id < places_.size(); ++id) out.append(at(id));
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
