// Sets of integers in Python, as bit maps.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>

#include "interpreter_lock.h"
#include "number_set.h"
#include "numpy_array.h"

namespace nb = nanobind;
using namespace tableflow;

namespace {

constexpr int64_t MOST_SPAN = int64_t(1) << 32;

ArrayOut<uint64_t> bits_of(ArrayIn<int64_t> values, int64_t first, int64_t span) {
  if (span < 0 || span > MOST_SPAN) throw std::invalid_argument("a bit map spans at most 2^32 numbers");
  BufferPtr bits;
  {
    const Released released(std::max(int64_t(values.size()), span / 64));
    bits = number_bits({values.data(), values.size()}, first, span);
  }
  return to_numpy<uint64_t>(std::move(bits), (size_t(span) + 63) / 64);
}

ArrayOut<uint32_t> rows_of(const VectorPtr& column, int64_t low, int64_t high, std::optional<ArrayIn<uint64_t>> bits,
                               int64_t first) {
  if (bits && low <= high && (low < first || (uint64_t(high) - uint64_t(first)) / 64 >= bits->size()))
    throw std::out_of_range("the bit map has no bit for some of the numbers");
  const size_t length = size_t(column->length);
  auto rows = std::make_shared<Buffer>(length * 4 + 4);
  int64_t found;
  {
    const Released released(column->length);
    found = rows_among(*column, {low, high, bits ? bits->data() : nullptr, first}, rows->as<uint32_t>());
  }
  return to_numpy<uint32_t>(std::move(rows), size_t(found));
}

}  // namespace

void register_number_set(nb::module_& m) {
  m.def("number_bits", &bits_of, nb::arg("values"), nb::arg("first"), nb::arg("span"));
  m.def("rows_among", &rows_of, nb::arg("column"), nb::arg("low"), nb::arg("high"), nb::arg("bits").none(), nb::arg("first"));
}
