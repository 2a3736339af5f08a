// Groups by dictionary codes and booleans alone: one cell for each combination of small codes.
#include <algorithm>

#include "group_index.h"

namespace tableflow {

namespace {

constexpr size_t grid_limit = 1 << 14;

}  // namespace

bool KeyIndex::find_by_codes(std::span<const Input> inputs, const Piece& piece, uint32_t* groups) {
  size_t cells = 1;
  for (const Input& input : inputs) {
    const Vector& v = *input.vector;
    if (v.kind == Kind::Bool) {
      cells *= 3;
    } else if (v.kind == Kind::Dict && v.code_kind != Kind::I64 && size_t(v.dictionary->length) < grid_limit) {
      cells *= size_t(v.dictionary->length) + 1;
    } else {
      return false;
    }
    if (cells > grid_limit) return false;
  }
  bool same = grid_dictionaries_.size() == inputs.size() && grid_.size() == cells;
  for (size_t c = 0; same && c < inputs.size(); ++c) {
    const auto& now = inputs[c].vector->dictionary;
    const auto& then = grid_dictionaries_[c];
    same = bool(now) == bool(then) && (!now || same_entries(*now, *then));
  }
  if (!same) {
    grid_.assign(cells, UINT32_MAX);
    grid_dictionaries_.clear();
    for (const Input& input : inputs) grid_dictionaries_.push_back(input.vector->dictionary);
  }
  uint32_t* cell = cells_.data();
  std::fill_n(cell, piece.n, 0u);
  for (const Input& input : inputs) {
    const Vector& v = *input.vector;
    const uint32_t null_code = v.kind == Kind::Bool ? 2 : uint32_t(v.dictionary->length);
    with_positions(piece, input, [&](auto at) {
      const auto add = [&](auto code) {
        if (v.validity) {
          for (int i = 0; i < piece.n; ++i) cell[i] = cell[i] * (null_code + 1) + (v.valid(at(i)) ? code(at(i)) : null_code);
        } else {
          for (int i = 0; i < piece.n; ++i) cell[i] = cell[i] * (null_code + 1) + code(at(i));
        }
      };
      if (v.kind == Kind::Bool) {
        add([&](int64_t row) { return uint32_t(bit(v.data, v.offset + row)); });
      } else {
        // A damaged code must not leave the grid; it is refused where the entry is first read.
        const auto by = [&](auto of) {
          add([codes = v.values<decltype(of)>(), null_code](int64_t row) { return std::min(uint32_t(codes[row]), null_code); });
        };
        if (v.code_kind == Kind::I8) by(int8_t{});
        else if (v.code_kind == Kind::I16) by(int16_t{});
        else by(int32_t{});
      }
    });
  }
  uint32_t found = 0;
  for (int i = 0; i < piece.n; ++i) {
    groups[i] = grid_[cell[i]];
    found |= uint32_t(groups[i] == UINT32_MAX);
  }
  if (found) insert_missing(inputs, piece, cell, groups);
  return true;
}

void KeyIndex::insert_missing(std::span<const Input> inputs, const Piece& piece, const uint32_t* cells, uint32_t* groups) {
  // One row of each new combination goes the general way, by itself: there are few.
  for (int i = 0; i < piece.n; ++i) {
    if (groups[i] != UINT32_MAX) continue;
    uint32_t& known = grid_[cells[i]];
    if (known == UINT32_MAX) {
      const Piece one{piece.rows ? piece.rows + i : nullptr, piece.first + i, 1};
      std::vector<Input> row(inputs.begin(), inputs.end());
      for (Input& input : row) input.positions += input.positions ? i : 0;
      uint32_t group = 0;
      find_general(row, one, &group);
      known = group;
    }
    groups[i] = known;
  }
}

}  // namespace tableflow
