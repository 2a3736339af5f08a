// The numeric kernels are compiled twice, for any processor and (program_avx2.cc) for those with AVX2; names that depend on the
// processor are in a namespace of their own, so that the linker does not mix them.
#pragma once

#ifndef TABLEFLOW_PROCESSOR
#define TABLEFLOW_PROCESSOR any
#define TABLEFLOW_FOR_PROCESSOR(name) name
#endif
