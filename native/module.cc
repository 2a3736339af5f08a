// The extension module: each concept's file registers its own functions.
#include <nanobind/nanobind.h>

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace nb = nanobind;

void register_program(nb::module_& m);
void register_vector(nb::module_& m);
void register_gather(nb::module_& m);
void register_group(nb::module_& m);
void register_group_places(nb::module_& m);
void register_join(nb::module_& m);
void register_multi(nb::module_& m);
void register_hash(nb::module_& m);
void register_parquet(nb::module_& m);
void register_parquet_group(nb::module_& m);
void register_partition(nb::module_& m);
void register_sort(nb::module_& m);
void register_window(nb::module_& m);
void register_storage(nb::module_& m);
void register_number_set(nb::module_& m);
void register_text(nb::module_& m);
void register_text_search(nb::module_& m);
void register_records(nb::module_& m);

namespace {

// Buffers of a batch are a few hundred kilobytes and live for milliseconds.  Left to its defaults malloc maps each of them
// anew, and a scan spends as long in page faults as in decoding.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

}  // namespace

NB_MODULE(_native, m) {
  keep_freed_memory();
  nb::set_leak_warnings(false);  // sessions may be open when the interpreter ends
  m.doc() = "Hot kernels of TableFlow; typed wrappers are in tableflow.columnar.kernels.";
  register_program(m);
  register_vector(m);
  register_gather(m);
  register_group(m);
  register_group_places(m);
  register_join(m);
  register_multi(m);
  register_hash(m);
  register_parquet(m);
  register_parquet_group(m);
  register_partition(m);
  register_sort(m);
  register_window(m);
  register_storage(m);
  register_number_set(m);
  register_text(m);
  register_text_search(m);
  register_records(m);
}
