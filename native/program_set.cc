// Membership in a list of constants: compared one by one while short, else by hash.
#include <unordered_set>

#include "program_kernel.h"

namespace tableflow::program {
namespace {

constexpr size_t SHORT = 8;

struct Integers : Prepared {
  std::vector<int64_t> list;
  std::unordered_set<int64_t> set;
  bool has(int64_t v) const {
    if (!set.empty()) return set.contains(v);
    bool found = false;
    for (const int64_t item : list) found |= item == v;
    return found;
  }
};

template <class T> uint64_t bytes_at(const char* at) {
  T found;
  std::memcpy(&found, at, sizeof(T));
  return found;
}

// What a text of up to eight bytes consists of, and how a longer one begins: no two of one length have the same by chance.  Reads no byte
// outside of the text.
uint64_t head_of(std::string_view v) {
  const char* const end = v.data() + v.size();
  if (v.size() >= 8) return bytes_at<uint64_t>(v.data());
  if (v.size() >= 4) return bytes_at<uint32_t>(v.data()) | bytes_at<uint32_t>(end - 4) << 32;
  if (v.size() >= 2) return bytes_at<uint16_t>(v.data()) | bytes_at<uint16_t>(end - 2) << 16;
  return v.empty() ? 0 : uint8_t(v[0]);
}

struct Strings : Prepared {
  struct Item {
    uint64_t head;
    std::string text;
  };
  std::vector<Item> list;
  std::unordered_set<std::string_view> set;
  bool has(std::string_view v) const {
    if (!set.empty()) return set.contains(v);
    const uint64_t head = head_of(v);
    for (const Item& item : list) {
      if (item.head != head || item.text.size() != v.size()) continue;
      if (v.size() <= 8 || std::memcmp(item.text.data(), v.data(), v.size()) == 0) return true;
    }
    return false;
  }
};

template <class T> void in_integers(Frame& f, const Instruction& in) {
  const auto& items = static_cast<const Integers&>(*in.prepared);
  map_unary<T, uint8_t>(f, in, [&](T a) { return uint8_t(items.has(a)); });
}

void in_strings(Frame& f, const Instruction& in) {
  const auto& items = static_cast<const Strings&>(*in.prepared);
  map_unary<View, uint8_t>(f, in, [&](View a) { return uint8_t(items.has(a)); });
}

void prepare_integers(Instruction& in) {
  auto items = std::make_shared<Integers>();
  for (const auto& m : in.immediates) {
    if (m.kind != Immediate::Integer || int128(int64_t(m.integer)) != m.integer) throw std::invalid_argument("a list of integers");
    items->list.push_back(int64_t(m.integer));
  }
  if (items->list.size() > SHORT) items->set.insert(items->list.begin(), items->list.end());
  in.prepared = items;
}

void prepare_strings(Instruction& in) {
  auto items = std::make_shared<Strings>();
  for (const auto& m : in.immediates) {
    if (m.kind != Immediate::Text) throw std::invalid_argument("a list of strings");
    items->list.push_back({head_of(m.text), m.text});
  }
  if (items->list.size() > SHORT)
    for (const auto& item : items->list) items->set.insert(item.text);
  in.prepared = items;
}

}  // namespace

void add_set_ops(OpTable& t) {
  t["in.i32"] = {in_integers<int32_t>, Reg::Bool, {Reg::I32}, false, prepare_integers};
  t["in.i64"] = {in_integers<int64_t>, Reg::Bool, {Reg::I64}, false, prepare_integers};
  t["in.str"] = {in_strings, Reg::Bool, {Reg::Str}, false, prepare_strings};
}

}  // namespace tableflow::program
