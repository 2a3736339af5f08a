// Scalars of JSON into columns: null is returned for what does not fit the type as it stands.
#pragma once

#include "json_skip.h"
#include "text_column.h"

namespace tableflow {

// A string, whose quote is at p, into a column of text.
const uint8_t* json_text(TextColumn& column, const uint8_t* p);
// Anything but null, objects and arrays, into a column that is not nested.
const uint8_t* json_scalar(TextColumn& column, const uint8_t* p);

}  // namespace tableflow
