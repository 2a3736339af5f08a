// The extension module: each concept's file registers its own functions.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void register_vector(nb::module_& m);
void register_gather(nb::module_& m);
void register_group(nb::module_& m);
void register_hash(nb::module_& m);
void register_partition(nb::module_& m);
void register_sort(nb::module_& m);

NB_MODULE(_native, m) {
  m.doc() = "Hot kernels of TableFlow; typed wrappers are in tableflow.columnar.kernels.";
  register_vector(m);
  register_gather(m);
  register_group(m);
  register_hash(m);
  register_partition(m);
  register_sort(m);
}
