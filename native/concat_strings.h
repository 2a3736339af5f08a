// Strings of several parts, put together as bytes or over one dictionary.
#pragma once

#include "gather.h"

namespace tableflow {

// All parts are strings, dictionaries of strings, or NULL; `validity` (may be null) is that of the result before NULL dictionary
// entries are looked at.
Work concat_strings(std::span<const Rows> parts, int64_t total, BufferPtr validity, VectorPtr& out);

}  // namespace tableflow
