// The Parquet decoder over damaged column chunks, to be built with sanitizers.
//
// An input is a line "num_values optional conversion type_length codec format" and the bytes of a column chunk.  Whatever
// they are, the decoder either throws one of its errors or gives buffers of which every byte may be read.
// `LLVMFuzzerTestOneInput` is what libFuzzer calls; without it (the default) `main` mutates the seeds of a folder itself:
//   parquet_fuzz FOLDER SECONDS [SEED]
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "parquet_column.h"

extern "C" void __attribute__((weak)) __sanitizer_set_death_callback(void (*)());

using namespace tableflow;
using namespace tableflow::parquet;

namespace {

constexpr int64_t kMostValues = 1 << 16;
volatile uint64_t sink = 0;

void touch(const uint8_t* data, size_t size) {
  uint64_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum = sum * 31 + data[i];
  sink = sink + sum;
}

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

// Reads all that a result lets others read, and checks what kernels rely on.
void touch(const Vector& v) {
  if (v.validity) {
    touch(v.validity, size_t(v.length + 7) / 8);
    check(count_nulls(v.validity, 0, v.length) == v.null_count, "number of NULLs");
  }
  if (v.kind == Kind::Str) {
    const auto* offsets = reinterpret_cast<const int32_t*>(v.offsets);
    check(offsets[0] == 0, "first offset");
    for (int64_t i = 0; i < v.length; ++i) check(offsets[i] <= offsets[i + 1], "ascending offsets");
    touch(v.data, size_t(offsets[v.length]));
    return;
  }
  const Kind stored = v.kind == Kind::Dict ? v.code_kind : v.kind;
  touch(v.data, stored == Kind::Bool ? size_t(v.length + 7) / 8 : size_t(v.length) * size_t(width(stored)));
  if (v.kind == Kind::Dict) {
    for (int64_t i = 0; i < v.length; ++i) check(v.code(i) >= 0 && v.code(i) < v.dictionary->length, "codes");
    touch(*v.dictionary);
  }
}

struct Input {
  ChunkDefinition chunk;
  const uint8_t* bytes;
  size_t size;
};

bool parse(const uint8_t* data, size_t size, Input* out) {
  const auto* end = static_cast<const uint8_t*>(std::memchr(data, '\n', size));
  if (!end) return false;
  std::istringstream line(std::string(data, end));
  int optional = 0, conversion = 0, codec = 0;
  ChunkDefinition& chunk = out->chunk;
  line >> chunk.num_values >> optional >> conversion >> chunk.type_length >> codec >> chunk.format;
  if (!line || conversion < 0 || conversion > int(Conversion::FixedString)) return false;
  chunk.num_values = std::min(chunk.num_values, kMostValues);
  chunk.optional = optional;
  chunk.conversion = Conversion(conversion);
  chunk.decompress = codec > 0;
  chunk.codec = codec == 1 ? Codec::Snappy : codec == 2 ? Codec::Lz4 : Codec::Zstd;
  out->bytes = end + 1;
  out->size = size - size_t(end + 1 - data);
  chunk.size = int64_t(out->size);
  return true;
}

bool gentle = false;  // only what a correct caller asks of a correct chunk

// Reads a chunk in steps of all kinds.
void decode(int fd, const ChunkDefinition& chunk, std::mt19937_64& random, const PageCachePtr& cache) {
  ColumnChunkReader reader(fd, chunk, nullptr, cache);
  VectorPtr dictionary;
  if (gentle || random() % 2) dictionary = reader.dictionary();
  if (dictionary) touch(*dictionary);
  std::vector<uint8_t> accepted(size_t(dictionary ? dictionary->length : random() % 9));
  for (auto& one : accepted) one = random() % 3 == 0;
  while (reader.left() > 0) {
    const int64_t rows = 1 + int64_t(random() % uint64_t(std::min<int64_t>(reader.left(), 900)));
    std::vector<uint32_t> at;
    const uint64_t one_in = 1 + random() % 20;
    for (int64_t i = 0; i < rows; ++i)
      if (random() % one_in == 0) at.push_back(uint32_t(i));
    switch (random() % 8) {
      case 0: reader.skip(rows); break;
      case 1: case 2: touch(*reader.read_at(rows, at.data(), int64_t(at.size()))); break;
      case 3: case 4: {
        const bool all = random() % 2;
        const Matching found =
            reader.read_matching(rows, at.data(), all ? -1 : int64_t(at.size()), accepted.data(), int64_t(accepted.size()));
        check(int64_t(found.kept.size()) == found.vector->length, "places of what is kept");
        for (const uint32_t kept : found.kept) check(kept < (all ? size_t(rows) : at.size()), "a place");
        touch(*found.vector);
        break;
      }
      case 5:
        if (!gentle && random() % 8 == 0) {
          reader.jump(int64_t(random() % uint64_t(chunk.size + 2)), int64_t(random() % uint64_t(chunk.num_values + 2)));
          break;
        }
        [[fallthrough]];
      default: touch(*reader.read(rows));
    }
  }
}

uint64_t refused = 0, decoded = 0;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input;
  if (!parse(data, size, &input)) return 0;
  static const int fd = memfd_create("chunk", 0);
  if (fd < 0 || ftruncate(fd, off_t(input.size)) || pwrite(fd, input.bytes, input.size, 0) != ssize_t(input.size)) std::abort();
  std::mt19937_64 random(size * 31 + (input.size ? input.bytes[input.size / 2] : 0));
  // What the first reading leaves there the second one finds; half of the time not all of it fits.
  const auto cache = std::make_shared<PageCache>(random() % 2 ? 1 << 20 : 4 << 10, 0);
  try {
    decode(fd, input.chunk, random, cache);
    decode(fd, input.chunk, random, cache);
    ++decoded;
  } catch (const Corrupt&) {
    ++refused;
  } catch (const Unsupported&) {
    ++refused;
  }
  return 0;
}

#ifndef LIBFUZZER
namespace {

using Bytes = std::vector<uint8_t>;

uint64_t current = 0;  // the seed of what is tried now: `parquet_fuzz FOLDER 0.001 SEED` tries it again

// Called by the sanitizers before they end the process.
void name_input() { std::fprintf(stderr, "parquet_fuzz: input %llu\n", static_cast<unsigned long long>(current)); }

void mutate(Bytes& of, std::mt19937_64& random) {
  const size_t header = size_t(std::find(of.begin(), of.end(), '\n') - of.begin()) + 1;
  if (header >= of.size()) return;
  const int changes[] = {1, 1, 2, 3, 20};
  for (int i = changes[random() % 5]; i > 0 && of.size() > header; --i) {
    // Headers of pages and levels lie at the beginning: half of the changes are there.
    const size_t range = random() % 2 ? std::min<size_t>(of.size() - header, 60) : of.size() - header;
    const size_t at = header + random() % range;
    const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, uint8_t(random())};
    switch (random() % 12) {
      case 0: of.erase(of.begin() + long(at)); break;
      case 1: of.insert(of.begin() + long(at), values[random() % 6]); break;
      case 2: of.resize(at); break;
      case 3: of[random() % (header - 1)] = uint8_t('0' + random() % 10); break;
      case 4: case 5: case 6: of[at] ^= uint8_t(1u << random() % 8); break;
      default: of[at] = values[random() % 6];
    }
  }
}

std::vector<Bytes> seeds_of(const char* folder) {
  std::vector<std::filesystem::path> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path());
  std::sort(names.begin(), names.end());
  std::vector<Bytes> seeds;
  for (const auto& name : names) {
    std::ifstream file(name, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return std::fprintf(stderr, "parquet_fuzz FOLDER SECONDS [SEED]\n"), 2;
  const std::vector<Bytes> seeds = seeds_of(arguments[1]);
  if (seeds.empty()) return std::fprintf(stderr, "no seeds in %s\n", arguments[1]), 2;
  gentle = true;
  for (const Bytes& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  gentle = false;
  check(refused == 0, "a seed is refused");
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(name_input);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(std::atof(arguments[2]));
  const uint64_t first = count > 3 ? std::strtoull(arguments[3], nullptr, 10) : std::random_device()();
  uint64_t number = first;
  for (; std::chrono::steady_clock::now() < end; ++number) {
    std::mt19937_64 random(number);
    Bytes input = seeds[random() % seeds.size()];
    mutate(input, random);
    current = number;
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%llu inputs from %llu on: %llu decoded, %llu refused\n", static_cast<unsigned long long>(number - first),
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(decoded),
              static_cast<unsigned long long>(refused));
  check(number - first < 1000 || refused * 4 > number - first, "damage is noticed");
  return 0;
}
#endif
