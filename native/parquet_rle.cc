#include "parquet_rle.h"

#include <array>
#include <utility>

namespace tableflow::parquet {
namespace {

template <size_t... Width>
constexpr std::array<Unpack, sizeof...(Width)> make_table(std::index_sequence<Width...>) {
  return {&unpack_32<int(Width)>...};
}

constexpr auto table = make_table(std::make_index_sequence<33>());

}  // namespace

Unpack unpack_of(int width) {
  if (width < 0 || width > 32) throw Corrupt("codes of a page have more than 32 bits");
  const Unpack wide = wide_unpack_of(width);
  return wide ? wide : table[size_t(width)];
}

}  // namespace tableflow::parquet
