#include "pattern.h"

#include <cstring>

#include "program_like.h"

namespace tableflow {
namespace {

bool word_at(std::string_view text, int64_t at) {
  if (at < 0 || at >= int64_t(text.size())) return false;
  const auto c = uint8_t(text[size_t(at)]);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool continues(char c) { return (uint8_t(c) & 0xC0) == 0x80; }  // not the first byte of a character

int64_t run_end(const PatternStep& step, std::string_view text, int64_t at) {
  if (step.only_missing >= 0) {
    const void* found = std::memchr(text.data() + at, step.only_missing, text.size() - size_t(at));
    return found ? static_cast<const char*>(found) - text.data() : int64_t(text.size());
  }
  while (at < int64_t(text.size()) && step.member[uint8_t(text[size_t(at)])]) ++at;
  return at;
}

// Behind one character of the class, or -1.
int64_t character_end(const PatternStep& step, std::string_view text, int64_t at) {
  const auto size = int64_t(text.size());
  if (at >= size) return -1;
  const auto c = uint8_t(text[size_t(at)]);
  if (!step.member[c] || continues(char(c))) return -1;
  for (++at; c >= 0x80 && at < size && continues(text[size_t(at)]);) ++at;
  return at;
}

}  // namespace

bool Pattern::match(std::string_view text, int64_t at, PatternScratch& scratch) const {
  const auto size = int64_t(text.size());
  auto& jobs = scratch.jobs;
  jobs.clear();
  int pc = start_;
  for (;;) {
    const PatternStep& step = steps_[size_t(pc)];
    bool fits = true;
    pc = step.next;
    switch (step.op) {
      case PatternStep::Literal: {
        const size_t n = step.literal.size();
        fits = size - at >= int64_t(n) && std::memcmp(text.data() + at, step.literal.data(), n) == 0;
        at += int64_t(n);
        break;
      }
      case PatternStep::Set:
        at = character_end(step, text, at);
        fits = at >= 0;
        break;
      case PatternStep::Run: {
        PatternSpan& run = scratch.runs[size_t(step.number)];
        if (at < run.begin || at > run.end) run = {at, run_end(step, text, at)};
        at = run.end;
        break;
      }
      case PatternStep::Split: {
        const size_t bit = size_t(step.number) * size_t(size + 1) + size_t(at);
        uint64_t& word = scratch.failed[bit / 64];
        fits = !(word >> (bit % 64) & 1);
        word |= uint64_t(1) << (bit % 64);
        if (fits) jobs.push_back({step.other, at});
        break;
      }
      case PatternStep::Save:
        jobs.push_back({~step.other, scratch.slots[step.other]});
        scratch.slots[step.other] = at;
        break;
      case PatternStep::Begin: fits = at == 0; break;
      case PatternStep::End: fits = at == size; break;
      case PatternStep::Boundary: fits = word_at(text, at - 1) != word_at(text, at); break;
      case PatternStep::Match: return true;
    }
    if (fits) continue;
    for (;; jobs.pop_back()) {
      if (jobs.empty()) return false;
      if (jobs.back().step >= 0) break;
      scratch.slots[~jobs.back().step] = jobs.back().at;
    }
    pc = jobs.back().step;
    at = jobs.back().at;
    jobs.pop_back();
  }
}

// The first place from `from` (beyond the start) on where a match may begin; -1 if there is none.
int64_t Pattern::candidate(std::string_view text, int64_t from) const {
  const auto size = int64_t(text.size());
  if (only_at_start_) return -1;
  if (!prefix_.empty()) {
    const size_t found = program::find_bytes(text, prefix_, size_t(from));
    return found == std::string_view::npos ? -1 : int64_t(found);
  }
  for (; from < size; ++from) {
    const char c = text[size_t(from)];
    if (!continues(c) && (!skips_ || first_[uint8_t(c)])) return from;
  }
  return skips_ || from > size ? -1 : size;
}

bool Pattern::search(std::string_view text, PatternScratch& scratch, PatternSpan spans[PATTERN_GROUPS]) const {
  scratch.failed.assign((size_t(splits_) * (text.size() + 1) + 63) / 64, 0);
  scratch.runs.assign(size_t(runs_), PatternSpan{});
  for (int64_t& slot : scratch.slots) slot = -1;
  for (int64_t at = 0; at >= 0; at = candidate(text, at + 1)) {
    if (!match(text, at, scratch)) continue;
    for (int g = 0; g < PATTERN_GROUPS; ++g) {
      const int64_t begin = scratch.slots[2 * g], end = scratch.slots[2 * g + 1];
      spans[g] = begin >= 0 && end >= 0 ? PatternSpan{begin, end} : PatternSpan{};
    }
    return true;
  }
  return false;
}

}  // namespace tableflow
