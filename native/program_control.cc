// Filters, the reporting of errors, and blocks that are computed once per dictionary entry.
#include "program_kernel.h"

namespace tableflow::program {

Register& strict(Frame& f, const Instruction& in) {
  Register& r = f.reg(in.out);
  r.data = r.own;
  r.has_nulls = r.has_errors = false;
  const auto n = size_t(f.n);
  for (const int arg : in.args) {
    const Register& a = f.reg(arg);
    if (a.has_nulls) {
      if (!r.has_nulls) std::memcpy(r.nulls, a.nulls, n);
      else for (size_t i = 0; i < n; ++i) r.nulls[i] |= a.nulls[i];
      r.has_nulls = true;
    }
    if (a.has_errors) {
      if (!r.has_errors) std::memcpy(r.errors, a.errors, n * sizeof(Code));
      else for (size_t i = 0; i < n; ++i) r.errors[i] = r.errors[i] ? r.errors[i] : a.errors[i];
      r.has_errors = true;
    }
  }
  return r;
}

void raise_lane(Frame& f, Register& r, int lane, Code code) {
  if (!r.has_errors) {
    std::memset(r.errors, 0, size_t(f.n) * sizeof(Code));
    r.has_errors = true;
  }
  r.errors[lane] = code;
}

namespace {

// Lanes that stay are dense again; worth it once a quarter is gone.
void compact(Frame& f) {
  const int m = f.active_count;
  for (int j = 0; j < m; ++j) f.row_buffer[j] = uint32_t(f.row(f.active[j]));
  if (f.has_pending)
    for (int j = 0; j < m; ++j) f.pending[j] = f.pending[f.active[j]];
  f.rows = f.row_buffer;
  f.n = m;
  f.all_active = true;
}

template <class Keep> int keep_lanes(Frame& f, Keep keep) {
  int m = 0;
  if (f.all_active) {
    for (int i = 0; i < f.n; ++i) {
      f.active[m] = uint16_t(i);
      m += keep(i);
    }
  } else {
    for (int j = 0; j < f.active_count; ++j) {
      const int i = f.active[j];
      f.active[m] = uint16_t(i);
      m += keep(i);
    }
  }
  return m;
}

// Drops lanes that are FALSE or NULL.  A lane in error stays, marked, until the group's other conjuncts have spoken.
void filter(Frame& f, const Instruction& in) {
  const Register& c = f.reg(in.args[0]);
  const uint8_t* value = c.as<uint8_t>();
  int m;
  if (c.has_errors) {
    if (!f.has_pending) std::memset(f.pending, 0, size_t(f.n) * sizeof(Code));
    f.has_pending = true;
    m = keep_lanes(f, [&](int i) {
      if (!c.errors[i]) return int(value[i] && !(c.has_nulls && c.nulls[i]));
      if (!f.pending[i]) f.pending[i] = c.errors[i];
      return 1;
    });
  } else if (c.has_nulls) {
    m = keep_lanes(f, [&](int i) { return int(value[i] & (c.nulls[i] ^ 1)); });
  } else {
    m = keep_lanes(f, [&](int i) { return int(value[i]); });
  }
  f.all_active = m == f.n;
  f.active_count = m;
  if (4 * m < 3 * f.n) compact(f);
}

template <class Error> void report(Frame& f, Error error) {
  const int live = f.live();
  for (int j = 0; j < live; ++j) {
    const int i = f.all_active ? j : f.active[j];
    if (error(i)) return f.fail(error(i), i);
  }
}

// End of a filter group: rows that all conjuncts accept, or that failed in some and were accepted by the others.
void settle(Frame& f, const Instruction&) {
  if (!f.has_pending) return;
  report(f, [&](int i) { return f.pending[i]; });
  f.has_pending = false;
}

void check(Frame& f, const Instruction& in) {
  const Register& a = f.reg(in.args[0]);
  if (a.has_errors) report(f, [&](int i) { return a.errors[i]; });
}

bool same_entries(const Vector& a, const Vector& b) {  // while one of them is kept, its addresses are not reused
  return a.data == b.data && a.offsets == b.offsets && a.offset == b.offset && a.length == b.length && a.validity == b.validity;
}

void append_results(const Frame& f, const Register& r, CodeMap& map, size_t at) {
  const auto w = size_t(reg_width(r.kind)), n = size_t(f.n);
  std::memcpy(map.values.data() + at * w, r.data, n * w);
  if (r.has_nulls) std::memcpy(map.nulls.data() + at, r.nulls, n);
  if (r.has_errors) std::memcpy(map.errors.data() + at, r.errors, n * sizeof(Code));
  map.has_nulls |= r.has_nulls;
  map.has_errors |= r.has_errors;
}

void run_block(Frame& f, int first, int count) {
  for (int i = 0; i < count; ++i) {
    const Instruction& in = (*f.code)[size_t(first + i)];
    in.run(f, in);
  }
}

CodeMap evaluate_entries(Frame& f, size_t column, int first, int count) {
  CodeMap map;
  map.dictionary = f.columns[column]->dictionary;
  const auto length = size_t(map.dictionary->length);
  const Register& r = f.reg((*f.code)[size_t(first + count - 1)].out);
  map.values.resize((length + 1) * size_t(reg_width(r.kind)));
  map.nulls.resize(length + 1);
  map.errors.resize(length + 1);
  const auto n = f.n;
  const auto* rows = f.rows;
  const auto base = f.base;
  const VectorPtr codes = f.columns[column];
  f.rows = nullptr;
  f.columns[column] = map.dictionary;
  std::swap(f.arena, map.arena);
  for (size_t at = 0; at < length; at += LANES) {
    f.n = int(std::min(length - at, size_t(LANES)));
    f.base = int64_t(at);
    run_block(f, first, count);
    append_results(f, r, map, at);
  }
  auto null = std::make_shared<Vector>();
  null->length = null->null_count = 1;
  f.columns[column] = null;
  f.n = 1;
  f.base = 0;
  run_block(f, first, count);
  append_results(f, r, map, length);
  std::swap(f.arena, map.arena);
  f.columns[column] = codes;
  f.n = n;
  f.rows = rows;
  f.base = base;
  return map;
}

const CodeMap* map_for(Frame& f, size_t column, int first, int count) {
  constexpr size_t KEPT = 2;
  constexpr int64_t WORTH = 4;  // entries per row of a batch up to which evaluating all of them pays
  auto& maps = f.code_maps[first];
  const Vector& entries = *f.columns[column]->dictionary;
  for (const auto& map : maps)
    if (same_entries(*map.dictionary, entries)) return &map;
  if (entries.length > WORTH * f.batch_rows) return nullptr;
  if (maps.size() == KEPT) maps.erase(maps.begin());
  maps.push_back(evaluate_entries(f, column, first, count));
  return &maps.back();
}

template <class T> void look_up(const Frame& f, const CodeMap& map, const uint32_t* codes, Register& r) {
  const T* values = reinterpret_cast<const T*>(map.values.data());
  T* out = r.as<T>();
  for (int i = 0; i < f.n; ++i) out[i] = values[codes[i]];
}

template <class C> void fetch_codes(const Frame& f, const Vector& v, uint32_t* codes) {
  const C* source = v.values<C>();
  const auto length = uint64_t(v.dictionary->length);
  bool foreign = false;
  for (int i = 0; i < f.n; ++i) {
    const int64_t row = f.row(i);
    const uint64_t code = v.validity && !v.valid(row) ? length : uint64_t(source[row]);
    foreign |= code > length;
    codes[i] = uint32_t(code > length ? length : code);
  }
  if (foreign) throw std::invalid_argument("dictionary code out of range");
}

// The next instructions depend on one string column alone: computed per entry of its dictionary, if it has one, and skipped.
void by_code(Frame& f, const Instruction& in) {
  const auto column = size_t(in.immediates[0].integer);
  const int count = int(in.immediates[1].integer), first = f.pc + 1;
  const Vector& v = *f.columns[column];
  if (v.kind != Kind::Dict) return;
  const CodeMap* map = map_for(f, column, first, count);
  if (!map) return;
  f.pc += count;
  uint32_t codes[LANES];
  switch (v.code_kind) {
    case Kind::I8: fetch_codes<int8_t>(f, v, codes); break;
    case Kind::I16: fetch_codes<int16_t>(f, v, codes); break;
    case Kind::I32: fetch_codes<int32_t>(f, v, codes); break;
    default: fetch_codes<int64_t>(f, v, codes); break;
  }
  Register& r = f.reg((*f.code)[size_t(first + count - 1)].out);
  r.data = r.own;
  r.has_nulls = map->has_nulls;
  r.has_errors = map->has_errors;
  switch (reg_width(r.kind)) {
    case 1: look_up<uint8_t>(f, *map, codes, r); break;
    case 4: look_up<int32_t>(f, *map, codes, r); break;
    case 8: look_up<int64_t>(f, *map, codes, r); break;
    default: look_up<int128>(f, *map, codes, r); break;
  }
  if (r.has_nulls)
    for (int i = 0; i < f.n; ++i) r.nulls[i] = map->nulls[codes[i]];
  if (r.has_errors)
    for (int i = 0; i < f.n; ++i) r.errors[i] = map->errors[codes[i]];
}

void prepare_block(Instruction& in) {
  if (in.immediates.size() != 2 || in.immediates[0].kind != Immediate::Integer || in.immediates[1].kind != Immediate::Integer)
    throw std::invalid_argument("a block has a column and a length");
}

}  // namespace

void add_control_ops(OpTable& t) {
  t["filter.bool"] = {filter, {}, {Reg::Bool}};
  t["settle"] = {settle, {}, {}};
  t["by_code"] = {by_code, {}, {}, false, prepare_block};
  const char* names[REG_KINDS] = {"bool", "i32", "i64", "i128", "f64", "str"};
  for (int k = 0; k < REG_KINDS; ++k) t[std::string("check.") + names[k]] = {check, {}, {Reg(k)}};
}

}  // namespace tableflow::program
