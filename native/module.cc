// The extension module: each concept's file registers its own functions.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void register_vector(nb::module_& m);

NB_MODULE(_native, m) {
  m.doc() = "Hot kernels of TableFlow; typed wrappers are in tableflow.columnar.kernels.";
  register_vector(m);
}
