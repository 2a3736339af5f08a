// Times with fewer digits of a second.
#pragma once

#include <string>

#include "vector.h"

namespace tableflow {

// Each value over `quotient`, towards minus infinity as a CAST does it, times `factor`, under another format.  Where both are the same and
// no value has digits to lose, the values are the column's own.  Throws std::range_error for what 64 bits do not hold.
VectorPtr coarser(const VectorPtr& times, int64_t quotient, int64_t factor, std::string format);

}  // namespace tableflow
