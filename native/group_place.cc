// Rows placed in groups first and accumulated then; rows compared with rows.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "group_arguments.h"
#include "group_table.h"
#include "join_keys.h"
#include "numpy_array.h"

namespace tableflow {

void GroupTable::place(std::span<const Input> keys, const uint32_t* rows, int64_t n, uint32_t* numbers, std::vector<uint32_t>& touched) {
  const int64_t before = groups_;
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    index_->find_or_insert(keys, piece, group_of_.data());
    resize(index_->size());
    spell_intervals(keys, piece);
    std::copy_n(group_of_.begin(), piece.n, numbers + first);
  }
  if (groups_ > before || before == 1)
    for (Slot& slot : slots_) {
      if (!slot.presence) continue;
      slot.presence->track(key_formats_.empty() ? 0 : before);
      slot.presence->resize(groups_);
    }
  touched_.resize_zero(size_t(groups_));
  for (int64_t i = 0; i < n; ++i) {
    if (touched_[numbers[i]]) continue;
    touched_[numbers[i]] = 1;
    touched.push_back(numbers[i]);
  }
  for (const uint32_t group : touched) touched_[group] = 0;
}

void GroupTable::accumulate(const uint32_t* numbers, std::span<const Input> arguments, const uint32_t* rows, int64_t n,
                            const int64_t* weights) {
  if (weights && !changing_ && !calls_.empty()) throw std::invalid_argument("rows that change need calls that can take them away");
  weights_ = weights;
  for (int64_t first = 0; first < n; first += piece_rows) {
    const Piece piece{rows ? rows + first : nullptr, first, int(std::min<int64_t>(piece_rows, n - first))};
    std::copy_n(numbers + first, piece.n, group_of_.begin());
    update_piece(arguments, piece, groups_);
  }
  weights_ = nullptr;
}

}  // namespace tableflow

namespace nb = nanobind;
using namespace tableflow;

namespace {

nb::tuple place(GroupTable& table, const std::vector<VectorPtr>& keys, int64_t length, const Selection& selection) {
  BufferPtr numbers, distinct;
  std::vector<uint32_t> touched;
  int64_t n;
  {
    nb::gil_scoped_release released;
    n = checked_rows(selection, length);
    numbers = std::make_shared<Buffer>(size_t(n) * 4);
    table.place(inputs_of(keys, length, n, {}), selection ? selection->data() : nullptr, n, numbers->as<uint32_t>(), touched);
    distinct = std::make_shared<Buffer>(touched.size() * 4);
    if (!touched.empty()) std::memcpy(distinct->data(), touched.data(), touched.size() * 4);
  }
  return nb::make_tuple(to_numpy<uint32_t>(std::move(numbers), size_t(n)), to_numpy<uint32_t>(std::move(distinct), touched.size()));
}

void accumulate(GroupTable& table, ArrayIn<uint32_t> numbers, const std::vector<VectorPtr>& arguments, int64_t length,
                const Selection& selection, const Dense& dense, const Weights& weights) {
  nb::gil_scoped_release released;
  const int64_t n = checked_rows(selection, length);
  if (int64_t(numbers.size()) != n) throw std::invalid_argument("every row that counts has its group");
  check_rows(numbers.data(), n, table.groups());
  table.accumulate(numbers.data(), inputs_of(arguments, length, n, dense), selection ? selection->data() : nullptr, n,
                   checked_weights(weights, length));
}

// Whether rows i of both sides are equal, NULL to NULL; formats are the canonical ones of the types.
ArrayOut<bool> equal_rows(const std::vector<std::string>& formats, const std::vector<VectorPtr>& left,
                          const std::vector<VectorPtr>& right, int64_t length) {
  auto mask = std::make_shared<Buffer>(size_t(length));
  {
    nb::gil_scoped_release released;
    if (left.size() != formats.size() || right.size() != formats.size()) throw std::invalid_argument("both sides have all columns");
    const std::vector<Input> inputs = inputs_of(left, length, length, {});
    inputs_of(right, length, length, {});
    const JoinKeys keys(formats, std::vector<uint8_t>(formats.size(), 1));
    KeyComparison comparison(keys);
    std::vector<uint32_t> rows(piece_rows);
    std::vector<uint8_t> equal(piece_rows);
    for (int64_t first = 0; first < length; first += piece_rows) {
      const int n = int(std::min<int64_t>(piece_rows, length - first));
      for (int i = 0; i < n; ++i) rows[size_t(i)] = uint32_t(first + i);
      comparison.compare(inputs, rows.data(), right, rows.data(), n, equal.data());
      for (int i = 0; i < n; ++i) mask->as<bool>()[first + i] = equal[size_t(i)];
    }
  }
  return to_numpy<bool>(std::move(mask), size_t(length));
}

}  // namespace

void register_group_places(nb::module_& m) {
  m.def("place_groups", &place, nb::arg("table"), nb::arg("keys"), nb::arg("length"), nb::arg("selection") = nb::none());
  m.def("accumulate_groups", &accumulate, nb::arg("table"), nb::arg("numbers"), nb::arg("arguments"), nb::arg("length"),
        nb::arg("selection") = nb::none(), nb::arg("dense") = nb::none(), nb::arg("weights") = nb::none());
  m.def("equal_rows", &equal_rows, nb::arg("formats"), nb::arg("left"), nb::arg("right"), nb::arg("length"));
}
