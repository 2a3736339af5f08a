// XXH64 of a frame's contents, of which Zstandard keeps the low half (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tableflow::zstd {

inline uint64_t xxh64(const uint8_t* data, size_t size) {
  constexpr uint64_t p1 = 0x9E3779B185EBCA87, p2 = 0xC2B2AE3D27D4EB4F, p3 = 0x165667B19E3779F9, p4 = 0x85EBCA77C2B2AE63,
                     p5 = 0x27D4EB2F165667C5;
  const auto load = [](const uint8_t* from, size_t bytes) {
    uint64_t word = 0;
    std::memcpy(&word, from, bytes);
    return word;
  };
  const auto round = [](uint64_t lane, uint64_t input) { return std::rotl(lane + input * p2, 31) * p1; };
  const uint8_t* const end = data + size;
  uint64_t hash = p5;
  if (size >= 32) {
    uint64_t lanes[4] = {p1 + p2, p2, 0, 0 - p1};
    for (; end - data >= 32; data += 32)
      for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], load(data + 8 * i, 8));
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
    for (const uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * p1 + p4;
  }
  hash += size;
  for (; end - data >= 8; data += 8) hash = std::rotl(hash ^ round(0, load(data, 8)), 27) * p1 + p4;
  for (; end - data >= 4; data += 4) hash = std::rotl(hash ^ load(data, 4) * p1, 23) * p2 + p3;
  for (; data < end; ++data) hash = std::rotl(hash ^ *data * p5, 11) * p1;
  hash = (hash ^ hash >> 33) * p2;
  hash = (hash ^ hash >> 29) * p3;
  return hash ^ hash >> 32;
}

}  // namespace tableflow::zstd
