// Texts searched for bytes.
#pragma once

#include <string_view>

#include "vector.h"

namespace tableflow {

// Of each text (what NULL may have counts as one) whether the bytes, at least one, are in it.
void mark_containing(const Vector& texts, std::string_view needle, bool* found);

}  // namespace tableflow
