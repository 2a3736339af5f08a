// MultiState in Python; the typed wrapper is tableflow.columnar.kernels.multi_state.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "numpy_array.h"
#include "sorted_slots.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

using Selection = std::optional<ArrayIn<uint32_t>>;
using Weights = std::optional<ArrayIn<int64_t>>;
using Slots = ArrayOut<uint32_t>;
using Numbers = ArrayOut<int64_t>;

template <class T> BufferPtr buffer_of(const std::vector<T>& from) {
  auto buffer = std::make_shared<Buffer>(from.size() * sizeof(T));
  if (!from.empty()) std::memcpy(buffer->data(), from.data(), from.size() * sizeof(T));
  return buffer;
}
template <class T> ArrayOut<T> array_of(const std::vector<T>& from) { return to_numpy<T>(buffer_of(from), from.size()); }

std::vector<Input> inputs_of(const std::vector<VectorPtr>& vectors, int64_t length) {
  std::vector<Input> out;
  for (const auto& vector : vectors) {
    if (vector->length < length) throw std::out_of_range("a vector is shorter than its batch");
    out.push_back({vector.get(), false, nullptr});
  }
  return out;
}

int64_t checked_rows(const Selection& selection, int64_t length) {
  if (!selection) return length;
  check_rows(selection->data(), int64_t(selection->size()), length);
  return int64_t(selection->size());
}

void check_slots(const MultiState& state, const uint32_t* slots, int64_t n, bool nullable) {
  for (int64_t i = 0; i < n; ++i)
    if (!(nullable && slots[i] == no_slot) && !state.live(slots[i])) throw std::out_of_range("a row is read that is not there");
}

nb::tuple apply(MultiState& state, const std::vector<VectorPtr>& columns, int64_t length, const Selection& selection,
                const Weights& weights, bool settles) {
  RowChanges changes;
  {
    nb::gil_scoped_release released;
    const int64_t n = checked_rows(selection, length);
    if (weights && int64_t(weights->size()) < length) throw std::out_of_range("there are fewer weights than rows");
    changes = state.apply(inputs_of(columns, length), selection ? selection->data() : nullptr, n, weights ? weights->data() : nullptr,
                          settles);
  }
  return nb::make_tuple(array_of(changes.slots), array_of(changes.rows), array_of(changes.before), array_of(changes.after),
                        array_of(changes.unmatchable));
}

using Order = std::vector<std::tuple<int, bool, bool>>;

std::vector<SlotOrder> order_of(const Order& order) {
  std::vector<SlotOrder> keys;
  for (const auto& [column, descending, nulls_first] : order) keys.push_back({column, descending, nulls_first});
  return keys;
}

nb::tuple lead(MultiState& state, const std::vector<VectorPtr>& columns, int64_t length, const Selection& selection, const Order& order,
               int64_t limit, bool placed) {
  LeadingChanges changes;
  {
    nb::gil_scoped_release released;
    const int64_t n = checked_rows(selection, length);
    changes = state.lead(inputs_of(columns, length), selection ? selection->data() : nullptr, n, order_of(order), limit, placed);
  }
  return nb::make_tuple(array_of(changes.slots), array_of(changes.places), changes.gone);
}

std::vector<VectorPtr> gather(const MultiState& state, const std::vector<int>& columns, ArrayIn<uint32_t> slots, bool nullable) {
  nb::gil_scoped_release released;
  check_slots(state, slots.data(), int64_t(slots.size()), nullable);
  std::vector<VectorPtr> out;
  for (const int c : columns) {
    if (c < 0 || c >= state.store().columns()) throw std::out_of_range("a column is read that is not there");
    out.push_back(state.store().gather(c, slots.data(), int64_t(slots.size()), nullable));
  }
  return out;
}

template <class Get> Numbers numbers_of(const MultiState& state, const ArrayIn<uint32_t>& slots, Get get) {
  const size_t n = slots.size();
  auto out = std::make_shared<Buffer>(n * 8);
  check_slots(state, slots.data(), int64_t(n), false);
  for (size_t i = 0; i < n; ++i) out->as<int64_t>()[i] = get(slots.data()[i]);
  return to_numpy<int64_t>(std::move(out), n);
}

// The rows of some chains one after the other, a piece at a time; the state does not change meanwhile.
class MultiCursor {
 public:
  MultiCursor(std::shared_ptr<MultiState> state, const std::vector<VectorPtr>& keys, int64_t length, const Selection& selection)
      : state_(std::move(state)) {
    nb::gil_scoped_release released;
    const int64_t n = checked_rows(selection, length);
    heads_.resize(size_t(n));
    state_->find(inputs_of(keys, length), selection ? selection->data() : nullptr, n, heads_.data());
    current_ = heads_.empty() ? no_slot : heads_[0];
  }
  MultiCursor(std::shared_ptr<MultiState> state, ArrayIn<uint32_t> slots) : state_(std::move(state)) {
    nb::gil_scoped_release released;
    heads_ = state_->chains(slots.data(), int64_t(slots.size()));
    current_ = heads_.empty() ? no_slot : heads_[0];
  }
  // Positions among the keys (or chains) and slots, at most `limit`; fewer only at the end.
  nb::tuple next(int64_t limit) {
    std::vector<uint32_t> lanes, slots;
    {
      nb::gil_scoped_release released;
      while (lane_ < heads_.size() && int64_t(slots.size()) < limit) {
        if (current_ == no_slot) {
          if (++lane_ < heads_.size()) current_ = heads_[lane_];
          continue;
        }
        if (!state_->live(current_)) throw std::out_of_range("a state changed under its cursor");
        lanes.push_back(uint32_t(lane_));
        slots.push_back(current_);
        current_ = state_->next(current_);
      }
    }
    return nb::make_tuple(array_of(lanes), array_of(slots));
  }
  ArrayOut<uint32_t> heads() const { return array_of(heads_); }

 private:
  std::shared_ptr<MultiState> state_;
  std::vector<uint32_t> heads_;
  size_t lane_ = 0;
  uint32_t current_ = no_slot;
};

}  // namespace

void register_multi(nb::module_& m) {
  nb::class_<MultiState>(m, "MultiState", "Rows with counts by key; single owner.")
      .def(nb::init<const std::vector<std::string>&, std::vector<int>, std::vector<uint8_t>, bool>(), nb::arg("formats"), nb::arg("keys"),
           nb::arg("null_safe"), nb::arg("counted"))
      .def("share", [](MultiState& state, int64_t rows, int states) {
        if (rows < 0 || states < 1) throw std::invalid_argument("a batch has rows, and is dealt out to one state at least");
        state.share(rows, states);
      })
      .def("apply", &apply, nb::arg("columns"), nb::arg("length"), nb::arg("selection") = nb::none(), nb::arg("weights") = nb::none(),
           nb::arg("settles") = true)
      .def("lead", &lead, nb::arg("columns"), nb::arg("length"), nb::arg("selection").none(), nb::arg("order"), nb::arg("limit"),
           nb::arg("placed"))
      .def("settle", &MultiState::settle, nb::call_guard<nb::gil_scoped_release>())
      .def("remove", [](MultiState& state, ArrayIn<uint32_t> slots) {
        nb::gil_scoped_release released;
        for (size_t i = 0; i < slots.size(); ++i) state.remove(slots.data()[i]);
      })
      .def("gather", &gather, nb::arg("columns"), nb::arg("slots"), nb::arg("nullable"))
      .def("counts", [](const MultiState& state, ArrayIn<uint32_t> slots) {
        return numbers_of(state, slots, [&](uint32_t slot) { return state.count(slot); });
      })
      .def("marks", [](const MultiState& state, ArrayIn<uint32_t> slots) {
        return numbers_of(state, slots, [&](uint32_t slot) { return state.mark(slot); });
      })
      .def("live", [](const MultiState& state, ArrayIn<uint32_t> slots) {
        auto out = std::make_shared<Buffer>(slots.size());
        for (size_t i = 0; i < slots.size(); ++i) out->as<bool>()[i] = state.live(slots.data()[i]);
        return to_numpy<bool>(std::move(out), slots.size());
      })
      .def("add_marks", [](MultiState& state, ArrayIn<uint32_t> slots, ArrayIn<int64_t> by) {
        if (slots.size() != by.size()) throw std::invalid_argument("every row has its number");
        nb::gil_scoped_release released;
        state.add_marks(slots.data(), by.data(), int64_t(slots.size()));
      })
      .def("take_marked", [](MultiState& state) {
        std::vector<uint32_t> slots;
        std::vector<int64_t> before;
        state.take_marked(slots, before);
        return nb::make_tuple(array_of(slots), array_of(before));
      })
      .def("live_from", [](const MultiState& state, int64_t start, int64_t limit) { return array_of(state.live_from(start, limit)); })
      .def("below", [](const MultiState& state, int column, int64_t bound) { return array_of(state.below(column, bound)); })
      .def("prepare", &MultiState::prepare, nb::call_guard<nb::gil_scoped_release>())
      .def("bytes_after", &MultiState::bytes_after)
      .def("clear", &MultiState::clear)
      .def("compact", [](MultiState& state) {
        std::vector<uint32_t> from, to;
        {
          nb::gil_scoped_release released;
          state.compact(from, to);
        }
        return nb::make_tuple(array_of(from), array_of(to));
      })
      .def_prop_ro("sparse", &MultiState::sparse)
      .def_prop_ro("rows", &MultiState::rows)
      .def_prop_ro("slots", &MultiState::slots)
      .def_prop_ro("keys", &MultiState::keys)
      .def_prop_ro("bytes", &MultiState::bytes);
  nb::class_<MultiCursor>(m, "MultiCursor")
      .def(nb::init<std::shared_ptr<MultiState>, const std::vector<VectorPtr>&, int64_t, const Selection&>(), nb::arg("state"),
           nb::arg("keys"), nb::arg("length"), nb::arg("selection") = nb::none())
      .def(nb::init<std::shared_ptr<MultiState>, ArrayIn<uint32_t>>(), nb::arg("state"), nb::arg("slots"))
      .def("heads", &MultiCursor::heads)
      .def("next", &MultiCursor::next);
  nb::class_<SortedSlots>(m, "SortedSlots")
      .def("__init__",
           [](SortedSlots* self, std::shared_ptr<MultiState> state, const Order& order) {
             new (self) SortedSlots(std::move(state), order_of(order));
           })
      .def("insert", [](SortedSlots& sorted, ArrayIn<uint32_t> slots) {
        nb::gil_scoped_release released;
        sorted.insert(std::vector<uint32_t>(slots.data(), slots.data() + slots.size()));
      })
      .def("erase", [](SortedSlots& sorted, ArrayIn<uint32_t> slots) {
        nb::gil_scoped_release released;
        sorted.erase(slots.data(), int64_t(slots.size()));
      })
      .def("first", [](const SortedSlots& sorted, int64_t copies) { return array_of(sorted.first(copies)); })
      .def_prop_ro("size", &SortedSlots::size)
      .def_prop_ro("bytes", &SortedSlots::bytes);
}
