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

struct Strings : Prepared {
  std::vector<std::string> list;
  std::unordered_set<std::string_view> set;
  bool has(std::string_view v) const {
    if (!set.empty()) return set.contains(v);
    for (const auto& item : list)
      if (item.size() == v.size() && std::memcmp(item.data(), v.data(), v.size()) == 0) return true;
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
    items->list.push_back(m.text);
  }
  if (items->list.size() > SHORT) items->set.insert(items->list.begin(), items->list.end());
  in.prepared = items;
}

}  // namespace

void add_set_ops(OpTable& t) {
  t["in.i32"] = {in_integers<int32_t>, Reg::Bool, {Reg::I32}, false, prepare_integers};
  t["in.i64"] = {in_integers<int64_t>, Reg::Bool, {Reg::I64}, false, prepare_integers};
  t["in.str"] = {in_strings, Reg::Bool, {Reg::Str}, false, prepare_strings};
}

}  // namespace tableflow::program
