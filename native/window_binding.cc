// Window kernels in Python.
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
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

// The next values of a kernel over frames: begun, and then gone on with until they are there.
template <class Kernel, class Values> class Stepwise {
 public:
  explicit Stepwise(std::unique_ptr<Kernel> kernel) : kernel_(std::move(kernel)) {}

  void begin(Rows low, Rows high) {
    if (work_) throw std::invalid_argument("the values begun before are not finished");
    const Ends frames = ends_of(low, high);
    low_ = std::move(low);
    high_ = std::move(high);
    if constexpr (std::is_same_v<Values, VectorPtr>) {
      work_ = kernel_->next(frames, values_);
    } else {
      values_ = std::make_shared<Buffer>(size_t(frames.n) * 8);
      work_ = kernel_->next(frames, values_->template as<int64_t>());
    }
  }
  bool step(int64_t nanoseconds) {
    try {
      return work_.step(Deadline(nanoseconds));
    } catch (...) {
      values_ = nullptr;
      throw;
    }
  }
  Values take() {
    if (work_ || !values_) throw std::invalid_argument("there are no values that are finished");
    return std::exchange(values_, nullptr);
  }
  int64_t count() const { return int64_t(low_.size()); }
  int64_t bytes() const { return kernel_->bytes(); }

 private:
  std::unique_ptr<Kernel> kernel_;
  Rows low_, high_;
  Values values_;
  Work work_;
};

using SumSteps = Stepwise<FrameSum, VectorPtr>;
using ExtremeSteps = Stepwise<FrameExtreme, BufferPtr>;

}  // namespace

void register_window(nb::module_& m) {
  m.def("key_changes", &changes, nb::arg("keys"), nb::arg("length"));
  m.def("same_keys", &same_keys, nb::arg("keys"), nb::arg("row"), nb::arg("others"), nb::arg("other"));
  m.def("range_ends", &ranges, nb::arg("keys"), nb::arg("bounds"), nb::arg("first"), nb::arg("start"), nb::arg("end"), nb::arg("descending"),
        nb::arg("nulls_first"), nb::arg("beyond"));
  nb::class_<SumSteps>(m, "FrameSum", "Sums over frames that move forward; see native/window.h.")
      .def("__init__",
           [](SumSteps* self, const std::string& function, const std::string& format, const std::string& result, VectorPtr values,
              bool distinct) { new (self) SumSteps(make_frame_sum(function, format, result, std::move(values), distinct)); },
           nb::arg("function"), nb::arg("format"), nb::arg("result"), nb::arg("values"), nb::arg("distinct"))
      .def("begin", &SumSteps::begin, nb::arg("low"), nb::arg("high"))
      .def("step", &SumSteps::step, nb::arg("nanoseconds") = Deadline::usual, nb::call_guard<nb::gil_scoped_release>())
      .def("take", &SumSteps::take)
      .def_prop_ro("bytes", &SumSteps::bytes);
  nb::class_<ExtremeSteps>(m, "FrameExtreme", "Least or greatest values of frames that move forward; see native/window.h.")
      .def("__init__",
           [](ExtremeSteps* self, VectorPtr values, bool greatest) {
             new (self) ExtremeSteps(make_frame_extreme(std::move(values), greatest));
           },
           nb::arg("values"), nb::arg("greatest"))
      .def("begin", &ExtremeSteps::begin, nb::arg("low"), nb::arg("high"))
      .def("step", &ExtremeSteps::step, nb::arg("nanoseconds") = Deadline::usual, nb::call_guard<nb::gil_scoped_release>())
      .def("take", [](ExtremeSteps& self) { return to_numpy<int64_t>(self.take(), size_t(self.count())); })
      .def_prop_ro("bytes", &ExtremeSteps::bytes);
}
