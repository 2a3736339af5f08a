// Window kernels in Python.
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "numpy_array.h"
#include "window.h"

namespace nb = nanobind;
using namespace tableflow;
using namespace tableflow::windows;

namespace {

using Rows = ArrayIn<int64_t>;

Ends ends_of(const Rows& low, const Rows& high) {
  if (low.size() != high.size()) throw std::invalid_argument("frames have as many starts as ends");
  return {low.data(), high.data(), int64_t(low.size())};
}

ArrayOut<int64_t> changes(const std::vector<VectorPtr>& keys, int64_t n) {
  BufferPtr out;
  size_t count = 0;
  {
    nb::gil_scoped_release released;
    const auto found = key_changes(keys, n);
    count = found.size();
    out = std::make_shared<Buffer>(count * 8);
    if (count) std::memcpy(out->data(), found.data(), count * 8);
  }
  return to_numpy<int64_t>(std::move(out), count);
}

bool same_keys(const std::vector<VectorPtr>& a, int64_t row_a, const std::vector<VectorPtr>& b, int64_t row_b) {
  if (a.size() != b.size()) throw std::invalid_argument("keys have different lengths");
  for (size_t i = 0; i < a.size(); ++i)
    if (row_a < 0 || row_b < 0 || row_a >= a[i]->length || row_b >= b[i]->length) throw std::out_of_range("no such row");
  const std::vector<sorting::Direction> directions(a.size());
  return sorting::compare_rows(a, row_a, b, row_b, directions) == 0;
}

ArrayOut<int64_t> ranges(const VectorPtr& keys, const VectorPtr& bounds, int64_t first, const Rows& start, const Rows& end, bool descending,
                         bool nulls_first, bool beyond) {
  const Ends partition = ends_of(start, end);
  auto out = std::make_shared<Buffer>(size_t(partition.n) * 8);
  {
    nb::gil_scoped_release released;
    range_ends(*keys, *bounds, first, partition, {descending, nulls_first}, beyond, out->as<int64_t>());
  }
  return to_numpy<int64_t>(std::move(out), size_t(partition.n));
}

ArrayOut<int64_t> extreme(FrameExtreme& of, const Rows& low, const Rows& high) {
  const Ends frames = ends_of(low, high);
  auto out = std::make_shared<Buffer>(size_t(frames.n) * 8);
  {
    nb::gil_scoped_release released;
    of.next(frames, out->as<int64_t>());
  }
  return to_numpy<int64_t>(std::move(out), size_t(frames.n));
}

VectorPtr sum(FrameSum& of, const Rows& low, const Rows& high) {
  const Ends frames = ends_of(low, high);
  nb::gil_scoped_release released;
  return of.next(frames);
}

}  // namespace

void register_window(nb::module_& m) {
  m.def("key_changes", &changes, nb::arg("keys"), nb::arg("length"));
  m.def("same_keys", &same_keys, nb::arg("keys"), nb::arg("row"), nb::arg("others"), nb::arg("other"));
  m.def("range_ends", &ranges, nb::arg("keys"), nb::arg("bounds"), nb::arg("first"), nb::arg("start"), nb::arg("end"), nb::arg("descending"),
        nb::arg("nulls_first"), nb::arg("beyond"));
  nb::class_<FrameSum>(m, "FrameSum", "Sums over frames that move forward; see native/window.h.")
      .def(nb::new_(&make_frame_sum), nb::arg("function"), nb::arg("format"), nb::arg("result"), nb::arg("values"), nb::arg("distinct"))
      .def("next", &sum, nb::arg("low"), nb::arg("high"))
      .def_prop_ro("bytes", &FrameSum::bytes);
  nb::class_<FrameExtreme>(m, "FrameExtreme", "Least or greatest values of frames that move forward; see native/window.h.")
      .def(nb::new_(&make_frame_extreme), nb::arg("values"), nb::arg("greatest"))
      .def("next", &extreme, nb::arg("low"), nb::arg("high"))
      .def_prop_ro("bytes", &FrameExtreme::bytes);
}
