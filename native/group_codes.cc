// Groups by dictionary codes and booleans alone: one cell for each combination of small codes.
#include <algorithm>

#include "group_index.h"

namespace tableflow {

namespace {

constexpr size_t grid_limit = 1 << 14;
constexpr size_t single_limit = 1 << 8;  // of one column: its entries are looked up once each, so that few of them pay

uint32_t null_code(const Vector& v) { return v.kind == Kind::Bool ? 2 : uint32_t(v.dictionary->length); }

// A damaged code must not leave the grid, nor pass for NULL: it has a code that never becomes known, and is refused where its
// entry is looked for.
uint32_t damaged_code(const Vector& v) { return null_code(v) + 1; }

uint32_t codes_of(const Vector& v) { return null_code(v) + (v.kind == Kind::Bool ? 1 : 2); }

// Cells so far times the codes there are, plus the code of a column.
template <class Code> void add_codes(const Vector& v, const Piece& piece, const Input& input, bool first, uint32_t* cells, Code code) {
  const auto add = [&, n = piece.n, codes = codes_of(v)](auto coded) {
    if (first) {
      for (int i = 0; i < n; ++i) cells[i] = coded(i);
    } else {
      for (int i = 0; i < n; ++i) cells[i] = cells[i] * codes + coded(i);
    }
  };
  with_positions(piece, input, [&](auto at) {
    if (v.validity) {
      add([&, null = null_code(v)](int i) { return v.valid(at(i)) ? code(at(i)) : null; });
    } else {
      add([&](int i) { return code(at(i)); });
    }
  });
}

void add_column(const Piece& piece, const Input& input, bool first, uint32_t* cells) {
  const Vector& v = *input.vector;
  if (v.kind == Kind::Bool) {
    add_codes(v, piece, input, first, cells, [&](int64_t row) { return uint32_t(bit(v.data, v.offset + row)); });
    return;
  }
  const auto by = [&](auto of) {
    add_codes(v, piece, input, first, cells,
              [codes = v.values<decltype(of)>(), length = uint32_t(v.dictionary->length), damaged = damaged_code(v)](int64_t row) {
                const uint32_t code = uint32_t(codes[row]);
                return code < length ? code : damaged;
              });
  };
  if (v.code_kind == Kind::I8) by(int8_t{});
  else if (v.code_kind == Kind::I16) by(int16_t{});
  else by(int32_t{});
}

}  // namespace

// Whether the columns have few combinations of codes; the cells are those of their dictionaries then.
bool KeyIndex::open_grid(std::span<const Input> inputs) {
  const size_t limit = inputs.size() == 1 ? single_limit : grid_limit;
  size_t cells = 1;
  for (const Input& input : inputs) {
    const Vector& v = *input.vector;
    if (v.kind != Kind::Bool && (v.kind != Kind::Dict || v.code_kind == Kind::I64 || size_t(v.dictionary->length) >= limit)) return false;
    cells *= codes_of(v);
    if (cells > limit) return false;
  }
  bool same = grid_dictionaries_.size() == inputs.size() && grid_.size() == cells + 1;
  for (size_t c = 0; same && c < inputs.size(); ++c) {
    const auto& now = inputs[c].vector->dictionary;
    const auto& then = grid_dictionaries_[c];
    same = bool(now) == bool(then) && (!now || same_entries(*now, *then));
  }
  if (same) return true;
  grid_.assign(cells, UINT32_MAX);
  grid_.push_back(0);  // of lanes that are left out: no row is looked up for it
  grid_dictionaries_.clear();
  for (const Input& input : inputs) grid_dictionaries_.push_back(input.vector->dictionary);
  return true;
}

bool KeyIndex::find_by_codes(std::span<const Input> inputs, const Piece& piece, uint32_t* groups, std::span<const uint16_t> without) {
  if (inputs.empty() || !open_grid(inputs)) return false;
  uint32_t* cell = cells_.data();
  for (const Input& input : inputs) add_column(piece, input, &input == &inputs[0], cell);
  for (const uint16_t lane : without) cell[lane] = uint32_t(grid_.size() - 1);
  const uint32_t* grid = grid_.data();
  bool missing = false;
  for (int i = 0; i < piece.n; ++i) {
    groups[i] = grid[cell[i]];
    missing |= groups[i] == UINT32_MAX;
  }
  if (missing) insert_missing(inputs, piece, cell, groups);
  for (const uint16_t lane : without) groups[lane] = left_out;
  return true;
}

bool KeyIndex::find_among(std::span<const Input> inputs, const Piece& piece, std::span<const uint16_t> lanes, uint32_t* groups) {
  constexpr size_t step = 8;
  without_.clear();
  for (size_t j = 0, lane = 0; lane < size_t(piece.n);) {
    if (j + step <= lanes.size() && lanes[j + step - 1] == lane + step - 1) {
      j += step;
      lane += step;
    } else {
      const bool counts = j < lanes.size() && lanes[j] == lane;
      if (!counts) without_.push_back(uint16_t(lane));
      j += counts;
      ++lane;
    }
  }
  rehash_fully();
  if (mode_ != Mode::Constant && !lanes.empty()) return find_by_codes(inputs, piece, groups, without_);
  std::fill_n(groups, piece.n, 0u);
  for (const uint16_t lane : without_) groups[lane] = left_out;
  return true;
}

void KeyIndex::insert_missing(std::span<const Input> inputs, const Piece& piece, const uint32_t* cells, uint32_t* groups) {
  // One row of each new combination goes the general way, by itself: there are few.
  for (int i = 0; i < piece.n; ++i) {
    if (groups[i] != UINT32_MAX) continue;
    uint32_t& known = grid_[cells[i]];
    if (known == UINT32_MAX) {
      const Piece one{piece.rows ? piece.rows + i : nullptr, piece.first + i, 1, piece.base};
      std::vector<Input> row(inputs.begin(), inputs.end());
      for (Input& input : row) input.positions += input.positions ? i : 0;
      uint32_t group = 0;
      mode_ == Mode::Text ? find_text(row, one, &group) : find_general(row, one, &group);
      known = group;
    }
    groups[i] = known;
  }
}

}  // namespace tableflow
