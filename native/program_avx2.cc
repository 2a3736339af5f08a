// The numeric kernels for processors with AVX2, chosen when the table of instructions is made.
#include <bit>
#include <cmath>

#include "program.h"

#if defined(__x86_64__)
#pragma GCC target("avx2")
#define TABLEFLOW_PROCESSOR avx2
#define TABLEFLOW_FOR_PROCESSOR(name) name##_avx2
#include "program_arithmetic.cc"
#include "program_cast.cc"
#include "program_compare.cc"

namespace tableflow::program {
void add_processor_ops(OpTable& t) {
  if (!__builtin_cpu_supports("avx2")) return;
  add_arithmetic_ops_avx2(t);
  add_cast_ops_avx2(t);
  add_compare_ops_avx2(t);
}
}  // namespace tableflow::program
#else
namespace tableflow::program {
void add_processor_ops(OpTable&) {}
}  // namespace tableflow::program
#endif
