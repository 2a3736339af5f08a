#include "join_keys.h"

#include <algorithm>

namespace tableflow {

JoinKeys::JoinKeys(const std::vector<std::string>& formats, const std::vector<uint8_t>& null_safe) : null_safe_(null_safe) {
  if (formats.size() != null_safe.size()) throw std::invalid_argument("every key says whether it is null-safe");
  for (const auto& format : formats) columns_.emplace_back(format);
  exact_ = columns_.size() == 1 && columns_[0].key_class == KeyClass::Integer && !null_safe_[0];
}

bool JoinKeys::load(std::span<const Input> inputs, const Piece& piece, uint64_t* words, uint8_t* matchable) const {
  bool all = true;
  if (exact_) {
    if (!load_fixed(columns_[0], inputs[0], piece, reinterpret_cast<int64_t*>(words), matchable)) {
      std::fill_n(matchable, piece.n, uint8_t(1));
      return true;
    }
    for (int i = 0; i < piece.n; ++i) matchable[i] = !matchable[i];
    return false;
  }
  std::fill_n(matchable, piece.n, uint8_t(1));
  if (columns_.empty()) std::fill_n(words, piece.n, uint64_t(0));
  for (size_t c = 0; c < columns_.size(); ++c) {
    const Input& input = inputs[c];
    const Vector& v = *input.vector;
    const uint32_t* rows = input.positions ? input.positions : piece.rows && !input.dense ? piece.rows : nullptr;
    if (rows) {
      hash_vector(v, rows, piece.n, words, c > 0);
    } else {
      Vector shifted = v;
      const int64_t from = piece.first + (input.dense ? 0 : piece.base);
      shifted.offset += from;
      shifted.length -= from;
      hash_vector(shifted, nullptr, piece.n, words, c > 0);
    }
    if (null_safe_[c] || !may_hold_nulls(v)) continue;
    with_positions(piece, input, [&](auto at) {
      for (int i = 0; i < piece.n; ++i) matchable[i] &= uint8_t(row_is_valid(v, at(i)));
    });
    all = false;
  }
  return all;
}

void KeyComparison::compare(std::span<const Input> left, const uint32_t* left_rows, std::span<const VectorPtr> right,
                            const uint32_t* right_rows, int n, uint8_t* equal) {
  std::fill_n(equal, n, uint8_t(1));
  const Piece piece{nullptr, 0, n};
  for (size_t c = 0; c < keys_->columns(); ++c) {
    const KeyColumn& column = keys_->column(c);
    const bool null_safe = keys_->null_safe(c);
    const Vector& a = *left[c].vector;
    const Vector& b = *right[c];
    if (column.key_class == KeyClass::Text && a.kind != Kind::Null && b.kind != Kind::Null) {
      compare_text(a, left_rows, b, right_rows, n, null_safe, equal);
      continue;
    }
    const bool left_null = load_fixed(column, {&a, false, left_rows}, piece, left_values_.data(), left_nulls_.data());
    const bool right_null = load_fixed(column, {&b, false, right_rows}, piece, right_values_.data(), right_nulls_.data());
    if (!left_null) std::fill_n(left_nulls_.data(), n, uint8_t(0));
    if (!right_null) std::fill_n(right_nulls_.data(), n, uint8_t(0));
    const bool wide = column.key_class == KeyClass::Wide;
    for (int i = 0; i < n; ++i) {
      const size_t at = size_t(wide ? 2 * i : i);
      const bool same = left_values_[at] == right_values_[at] && (!wide || left_values_[at + 1] == right_values_[at + 1]);
      const uint8_t p = left_nulls_[size_t(i)], q = right_nulls_[size_t(i)];
      equal[i] &= uint8_t(p | q ? null_safe && p && q : same);
    }
  }
}

void KeyComparison::compare_text(const Vector& left, const uint32_t* left_rows, const Vector& right, const uint32_t* right_rows, int n,
                                 bool null_safe, uint8_t* equal) {
  const bool nulls = may_hold_nulls(left) || may_hold_nulls(right);
  for (int i = 0; i < n; ++i) {
    if (!equal[i]) continue;
    if (nulls) {
      const bool p = row_is_valid(left, left_rows[i]), q = row_is_valid(right, right_rows[i]);
      if (!p || !q) {
        equal[i] = null_safe && !p && !q;
        continue;
      }
    }
    equal[i] = text_at(left, left_rows[i]) == text_at(right, right_rows[i]);
  }
}

}  // namespace tableflow
