// What the bindings of the Parquet decoder share.
#pragma once

#include <string>

#include "parquet_column.h"

namespace tableflow::parquet {

// How a chunk is decoded, by the names that Python has for it; where it lies is left open.
ChunkDefinition chunk_definition(bool optional, const std::string& conversion, const std::string& format, int type_length,
                                 const std::string& codec);

}  // namespace tableflow::parquet
