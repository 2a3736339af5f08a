#include "program.h"

#include <algorithm>
#include <set>

#include "gather.h"

namespace tableflow::program {

const OpTable& op_table() {
  static const OpTable table = [] {
    OpTable t;
    add_load_ops(t);
    add_arithmetic_ops(t);
    add_compare_ops(t);
    add_logic_ops(t);
    add_cast_ops(t);
    add_string_ops(t);
    add_pattern_ops(t);
    add_substitute_ops(t);
    add_time_ops(t);
    add_set_ops(t);
    add_control_ops(t);
    add_processor_ops(t);
    return t;
  }();
  return table;
}

char* Arena::take(size_t bytes) {
  if (blocks_.empty() || used_ + bytes > size_) {
    size_ = std::max<size_t>(bytes, 1 << 16);
    used_ = 0;
    blocks_.push_back(std::make_unique<char[]>(size_));
  }
  char* at = blocks_.back().get() + used_;
  used_ += bytes;
  return at;
}

void Arena::reset() {
  if (blocks_.size() > 1) {
    blocks_.clear();
    size_ = 0;
  }
  used_ = 0;
}

namespace {

[[noreturn]] void damaged(const std::string& why) { throw std::invalid_argument("damaged program: " + why); }

bool begins(const std::string& s, const char* prefix) { return s.rfind(prefix, 0) == 0; }

// What may be read at an instruction: registers by the moment they were made.
struct Scope {
  std::vector<int8_t> state;  // 0 not made, 1 made, 2 constant, 3 made before a filter
  bool readable(int r) const { return r >= 0 && size_t(r) < state.size() && (state[size_t(r)] == 1 || state[size_t(r)] == 2); }
};

void check_column(const Immediate& m, size_t inputs) {
  if (m.integer < 0 || m.integer >= int128(inputs)) damaged("column out of range");
}

void check_instruction(Instruction& in, const OpSpec& spec, const std::vector<Register>& registers, Scope& scope, size_t inputs, int errors) {
  in.run = spec.run;
  if (in.args.size() != spec.args.size()) damaged("'" + in.op + "' with a wrong number of arguments");
  for (size_t i = 0; i < in.args.size(); ++i) {
    if (!scope.readable(in.args[i])) damaged("'" + in.op + "' reads a register that was not made");
    if (registers[size_t(in.args[i])].kind != spec.args[i]) damaged("'" + in.op + "' reads a register of another kind");
  }
  if (spec.out.has_value() != (in.out >= 0)) damaged("'" + in.op + "' with a wrong result");
  if (in.out >= 0) {
    if (size_t(in.out) >= registers.size() || scope.state[size_t(in.out)] != 0) damaged("register made twice or out of range");
    if (registers[size_t(in.out)].kind != *spec.out) damaged("'" + in.op + "' makes a register of another kind");
    scope.state[size_t(in.out)] = begins(in.op, "const.") ? 2 : 1;
  }
  if (in.error > errors || (spec.can_fail && in.error == 0)) damaged("'" + in.op + "' without its error");
  if (spec.prepare) spec.prepare(in);
  if (begins(in.op, "load.") || in.op == "by_code") check_column(in.immediates[0], inputs);
  if (begins(in.op, "filter."))
    for (auto& s : scope.state)
      if (s == 1) s = 3;
}

}  // namespace

Program::Program(std::vector<Reg> registers, std::vector<Instruction> code, std::vector<Output> outputs, int inputs, int errors)
    : code_(std::move(code)), outputs_(std::move(outputs)), inputs_(size_t(std::max(inputs, 0))), errors_(errors) {
  frame_.registers.resize(registers.size());
  for (size_t i = 0; i < registers.size(); ++i) frame_.registers[i].kind = registers[i];
  frame_.code = &code_;
  check();
  allocate();
}

// A block's instructions read its own registers, its column and constants, and only its last result is read outside.
void check_block(const std::vector<Instruction>& code, size_t at, const Scope& before) {
  const auto count = code[at].immediates[1].integer;
  if (count < 1 || count > int128(code.size() - at - 1)) damaged("block out of range");
  std::set<int> made;
  const size_t end = at + 1 + size_t(count);
  for (size_t i = at + 1; i < end; ++i) {
    const Instruction& in = code[i];
    if (in.out < 0 || in.op == "by_code") damaged("a block with '" + in.op + "'");
    if (begins(in.op, "load.") && (in.op != "load.str" || in.immediates.empty() || in.immediates[0].integer != code[at].immediates[0].integer))
      damaged("a block reads another column");
    for (const int a : in.args)
      if (!made.contains(a) && !(a >= 0 && size_t(a) < before.state.size() && before.state[size_t(a)] == 2)) damaged("a block reads from outside");
    made.insert(in.out);
  }
  made.erase(code[end - 1].out);
  for (size_t i = end; i < code.size(); ++i)
    for (const int a : code[i].args)
      if (made.contains(a)) damaged("the inside of a block is read outside");
}

void Program::check() {
  Scope scope{std::vector<int8_t>(frame_.registers.size(), 0)};
  for (size_t i = 0; i < code_.size(); ++i) {
    const auto found = op_table().find(code_[i].op);
    if (found == op_table().end()) damaged("unknown instruction '" + code_[i].op + "'");
    check_instruction(code_[i], found->second, frame_.registers, scope, inputs_, errors_);
    if (code_[i].op == "by_code") check_block(code_, i, scope);
    filters_ |= begins(code_[i].op, "filter.");
  }
  for (const auto& o : outputs_) {
    if (o.reg < 0) {
      passes_ = true;
      if (o.column < 0 || size_t(o.column) >= inputs_) damaged("output column out of range");
      continue;
    }
    if (!scope.readable(o.reg)) damaged("an output was not made");
    storage_kind(o.format, frame_.registers[size_t(o.reg)].kind);
    computes_ = true;
  }
}

// Registers share buffers by lifetime, so that a program's working set stays small.
void Program::allocate() {
  std::vector<size_t> last(frame_.registers.size(), 0);
  for (size_t i = 0; i < code_.size(); ++i)
    for (const int a : code_[i].args) last[size_t(a)] = i;
  for (const auto& o : outputs_)
    if (o.reg >= 0) last[size_t(o.reg)] = code_.size();
  std::map<int, std::vector<uint8_t*>> free;
  const auto release = [&](int r) { free[reg_width(frame_.reg(r).kind)].push_back(static_cast<uint8_t*>(frame_.reg(r).own)); };
  for (size_t i = 0; i < code_.size(); ++i) {
    if (code_[i].out >= 0) {
      Register& r = frame_.reg(code_[i].out);
      const auto w = size_t(reg_width(r.kind));
      auto& spare = free[int(w)];
      if (spare.empty()) {
        buffers_.push_back(std::make_shared<Buffer>((w + sizeof(Code) + 1) * LANES));
        spare.push_back(buffers_.back()->data());
      }
      uint8_t* memory = spare.back();
      spare.pop_back();
      r.own = r.data = memory;
      r.errors = reinterpret_cast<Code*>(memory + w * LANES);
      r.nulls = memory + (w + sizeof(Code)) * LANES;
      if (begins(code_[i].op, "const.")) {
        fill_constant(frame_, code_[i]);
        last[size_t(code_[i].out)] = code_.size();
      }
      if (last[size_t(code_[i].out)] < i) last[size_t(code_[i].out)] = i;
    }
    std::set<int> ended;
    for (const int a : code_[i].args)
      if (last[size_t(a)] == i) ended.insert(a);
    if (code_[i].out >= 0 && last[size_t(code_[i].out)] == i) ended.insert(code_[i].out);
    for (const int a : ended) release(a);
  }
}

bool Program::run_chunk() {
  Frame& f = frame_;
  f.all_active = true;
  f.has_pending = false;
  f.arena.reset();
  for (f.pc = 0; f.pc < int(code_.size()); ++f.pc) {
    code_[size_t(f.pc)].run(f, code_[size_t(f.pc)]);
    if (f.failed) return false;
    if (f.n == 0) return true;
  }
  return true;
}

void Program::admit(const std::vector<VectorPtr>& columns, int64_t length, const uint32_t* selection, int64_t selected) const {
  if (columns.size() != inputs_) throw std::invalid_argument("a batch with another number of columns than the program's");
  for (const auto& c : columns)
    if (c && c->length != length) throw std::invalid_argument("columns of different lengths");
  int64_t before = -1;
  for (int64_t i = 0; selection && i < selected; ++i) {
    if (selection[i] <= before || selection[i] >= length) throw std::invalid_argument("a selection that does not ascend within the batch");
    before = selection[i];
  }
  for (const auto& in : code_)
    if (begins(in.op, "load.") && !columns[size_t(in.immediates[0].integer)]) throw std::invalid_argument("a column the program reads is missing");
}

namespace {

void append_rows(const Frame& f, std::vector<uint32_t>& to) {
  const size_t at = to.size();
  const int live = f.live();
  to.resize(at + size_t(live));
  uint32_t* out = to.data() + at;
  if (f.all_active && f.rows) std::memcpy(out, f.rows, size_t(live) * 4);
  else if (f.all_active) for (int j = 0; j < live; ++j) out[j] = uint32_t(f.base + j);
  else for (int j = 0; j < live; ++j) out[j] = uint32_t(f.row(f.active[j]));
}

}  // namespace

Result Program::run(const std::vector<VectorPtr>& columns, int64_t length, const uint32_t* selection, int64_t selected, bool numbered) {
  admit(columns, length, selection, selected);
  const int64_t total = selection ? selected : length;
  Frame& f = frame_;
  f.columns = columns;
  const bool whole = !filters_ && !selection;
  const bool wide = computes_ && !whole && double(total) * (filters_ ? kept_ : 1.0) >= 0.5 * double(length);
  const bool rows_wanted = filters_ && (numbered || passes_ || wide || !computes_);
  std::vector<Writer> writers;
  for (const auto& o : outputs_)
    if (o.reg >= 0) writers.emplace_back(o, f.reg(o.reg).kind, wide ? length : total, wide);
  Result result;
  result.compact = computes_ && !whole && !wide;
  if (rows_wanted) result.selection.reserve(size_t(total));
  int64_t end = 0;
  run_chunks(result, selection, total, [&](Span rows) {
    end = rows.end;
    if (rows_wanted) append_rows(f, result.selection);
    size_t w = 0;
    for (const auto& o : outputs_) {
      if (o.reg < 0) continue;
      if (f.n) writers[w++].append(f, f.reg(o.reg), rows);
      else if (wide) writers[w++].skip(rows);
    }
  });
  if (result.failed) return result;
  if (wide)
    for (auto& writer : writers) writer.skip({end, length});
  finish(result, columns, selection, writers);
  return result;
}

Result Program::feed(const std::vector<VectorPtr>& columns, int64_t length, const uint32_t* selection, int64_t selected, Sink& sink) {
  admit(columns, length, selection, selected);
  frame_.columns = columns;
  Result result;
  run_chunks(result, selection, selection ? selected : length, [&](Span) {
    if (frame_.n) sink.take(frame_);
  });
  return result;
}

// Calls `done` after every chunk, also when no lane is left; stops at a row that failed.
template <class Done> void Program::run_chunks(Result& result, const uint32_t* selection, int64_t total, Done done) {
  Frame& f = frame_;
  f.failed = 0;
  f.batch_rows = int(std::min<int64_t>(total, INT32_MAX));
  int64_t first = 0;
  for (int64_t at = 0; at < total; at += LANES) {
    f.n = int(std::min<int64_t>(total - at, LANES));
    f.rows = selection ? selection + at : nullptr;
    f.base = at;
    const int64_t end = selection ? selection[at + f.n - 1] + int64_t(1) : at + f.n;
    if (!run_chunk()) {
      result.failed = f.failed;
      result.failed_row = f.failed_row;
      break;
    }
    result.rows += f.live();
    done(Span{first, end});
    first = end;
  }
  f.columns.clear();
  kept_ = total ? double(result.rows) / double(total) : kept_;
  result.dropped = result.rows != total;
}

// Dense outputs take passed-through columns with them; else those stay as they are.
void Program::finish(Result& result, const std::vector<VectorPtr>& columns, const uint32_t* selection, std::vector<Writer>& writers) {
  const uint32_t* rows = result.dropped ? result.selection.data() : selection;
  const bool moved = result.compact && rows;
  size_t w = 0;
  for (const auto& o : outputs_) {
    if (o.reg >= 0) result.columns.push_back(writers[w++].finish());
    else if (moved && columns[size_t(o.column)] && columns[size_t(o.column)]->kind != Kind::Nested)
      result.columns.push_back(gather(columns[size_t(o.column)], rows, result.rows));
    else result.columns.push_back(nullptr);
  }
}

}  // namespace tableflow::program
