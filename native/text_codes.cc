#include "text_codes.h"

#include "gather_rows.h"
#include "hash.h"

namespace tableflow {

TextCodes::Chunk TextCodes::add(std::span<const VectorPtr> pieces) {
  Chunk chunk;
  int64_t rows = 0;
  for (const auto& piece : pieces) rows += piece->length;
  auto codes = std::make_shared<Buffer>(size_t(rows) * 4);
  auto valid = rows::zeroed_bits(rows);
  ++chunk_;
  int64_t at = 0;
  for (const auto& piece : pieces) {
    int32_t* out = codes->as<int32_t>() + at;
    switch (piece->kind) {
      case Kind::Null: std::fill_n(out, piece->length, 0); break;
      case Kind::Dict: add_coded(*piece, out, valid->data(), at, chunk); break;
      case Kind::Str: case Kind::LargeStr: add_plain(*piece, out, valid->data(), at, chunk); break;
      default: throw std::invalid_argument("a column of strings is expected");
    }
    at += piece->length;
  }
  chunk.codes = make_fixed(Kind::I32, "i", rows, std::move(codes), std::move(valid));
  return chunk;
}

uint32_t TextCodes::code_of(std::string_view text, Chunk& chunk) {
  const uint32_t code = pool_.intern(text, hash_value(text));
  if (code == seen_.size()) {
    if (code > INT32_MAX - 1) throw std::length_error("too many distinct strings");
    seen_.push_back(0);
    entry_bytes_ += int64_t(text.size());
  }
  if (seen_[code] != chunk_) note(code, chunk);
  return code;
}

void TextCodes::note(uint32_t code, Chunk& chunk) {
  seen_[code] = chunk_;
  const auto text = pool_.at(code);
  if (!chunk.any || text < chunk.low) chunk.low = text;
  if (!chunk.any || text > chunk.high) chunk.high = text;
  chunk.any = true;
}

void TextCodes::add_plain(const Vector& v, int32_t* out, uint8_t* valid, int64_t at, Chunk& chunk) {
  if (v.validity) rows::copy_bits(valid, at, v.validity, v.offset, v.length);
  else rows::set_bits(valid, at, v.length);
  for (int64_t i = 0; i < v.length; ++i) {
    out[i] = 0;
    if (!v.valid(i)) continue;
    const auto text = v.str(i);
    out[i] = int32_t(code_of(text, chunk));
    chunk.text_bytes += int64_t(text.size());
  }
}

void TextCodes::add_coded(const Vector& v, int32_t* out, uint8_t* valid, int64_t at, Chunk& chunk) {
  const Vector& entries = *v.dictionary;
  if (entries.kind != Kind::Str && entries.kind != Kind::LargeStr) throw std::invalid_argument("a dictionary of strings is expected");
  std::vector<int32_t> map(size_t(entries.length), -1);  // entries that no row has stay out
  for (int64_t i = 0; i < v.length; ++i) {
    out[i] = 0;
    if (!v.valid(i)) continue;
    const int64_t code = v.code(i);
    if (uint64_t(code) >= uint64_t(entries.length)) throw std::invalid_argument("dictionary code out of range");
    if (!entries.valid(code)) continue;
    const auto text = entries.str(code);
    if (map[size_t(code)] < 0) map[size_t(code)] = int32_t(code_of(text, chunk));
    out[i] = map[size_t(code)];
    chunk.text_bytes += int64_t(text.size());
    set_bit(valid, at + i);
  }
}

VectorPtr TextCodes::dictionary(bool binary) const {
  StringWriter out(pool_.size(), entry_bytes_);
  for (uint32_t code = 0; code < pool_.size(); ++code) out.append(pool_.at(code));
  return out.finish(binary);
}

}  // namespace tableflow
