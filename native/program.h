// Typed expression programs: a checked instruction list, run over vectors of at most 2,048 rows that stay in cache.
//
// Every register is dense: lane i belongs to row `rows[i]` (or `base + i`).  A filter either compacts the lanes, after which
// loads gather, or, when it drops few, only narrows the list of active lanes.  Registers made before a filter are not read
// after it.  A lane carries a value, a NULL byte and an error code; an error wins over NULL.  Nothing raises for a lane: a
// `check` or the end of a filter group reports the first active lane in error.  Values of NULL and error lanes are
// arbitrary, so that every kernel must stay defined for any input.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vector.h"

namespace tableflow::program {

constexpr int LANES = 2048;

enum class Reg : uint8_t { Bool, I32, I64, I128, F64, Str };
constexpr int REG_KINDS = 6;
constexpr int reg_width(Reg k) {
  constexpr int widths[REG_KINDS] = {1, 4, 8, 16, 8, 16};
  return widths[int(k)];
}

struct View {  // a string as registers hold it; points into a column, a dictionary, a constant or the arena
  const char* data;
  int64_t size;
  operator std::string_view() const { return {data, size_t(size)}; }
};
static_assert(sizeof(View) == 16);

template <class T> struct RegOf;
template <> struct RegOf<uint8_t> { static constexpr Reg kind = Reg::Bool; };
template <> struct RegOf<int32_t> { static constexpr Reg kind = Reg::I32; };
template <> struct RegOf<int64_t> { static constexpr Reg kind = Reg::I64; };
template <> struct RegOf<int128> { static constexpr Reg kind = Reg::I128; };
template <> struct RegOf<double> { static constexpr Reg kind = Reg::F64; };
template <> struct RegOf<View> { static constexpr Reg kind = Reg::Str; };

using Code = uint16_t;  // 0: no error, else 1 + index into the program's error table

struct Register {
  Reg kind = Reg::Bool;
  bool constant = false;    // all LANES lanes hold the same; filled once
  bool has_nulls = false;   // else `nulls` is not to be read
  bool has_errors = false;  // else `errors` is not to be read
  void* data = nullptr;     // `own`, or input memory
  void* own = nullptr;
  uint8_t* nulls = nullptr;
  Code* errors = nullptr;
  template <class T> T* as() { return static_cast<T*>(data); }
  template <class T> const T* as() const { return static_cast<const T*>(data); }
};

struct Immediate {
  enum Kind { Null, Integer, Real, Text } kind = Null;
  int128 integer = 0;
  double real = 0;
  std::string text;
};

struct Instruction;
struct Frame;
using Handler = void (*)(Frame&, const Instruction&);

struct Prepared {  // what an instruction derives from its immediates once: a LIKE matcher, a set
  virtual ~Prepared() = default;
};

struct Instruction {
  std::string op;
  Handler run = nullptr;
  int out = -1;
  std::vector<int> args;
  std::vector<Immediate> immediates;
  Code error = 0;
  std::shared_ptr<const Prepared> prepared;
};

// One instruction's contract.  `prepare` checks the immediates (std::invalid_argument) and may precompute.
struct OpSpec {
  Handler run;
  std::optional<Reg> out;
  std::vector<Reg> args;
  bool can_fail = false;
  void (*prepare)(Instruction&) = nullptr;
};
using OpTable = std::map<std::string, OpSpec, std::less<>>;
const OpTable& op_table();
void fill_constant(Frame& f, const Instruction& in);
void add_load_ops(OpTable&);
void add_arithmetic_ops(OpTable&);
void add_compare_ops(OpTable&);
void add_logic_ops(OpTable&);
void add_cast_ops(OpTable&);
void add_string_ops(OpTable&);
void add_pattern_ops(OpTable&);
void add_substitute_ops(OpTable&);
void add_time_ops(OpTable&);
void add_set_ops(OpTable&);
void add_control_ops(OpTable&);
void add_processor_ops(OpTable&);  // replaces kernels by those for this machine's processor

// Bytes made by string instructions; live until the chunk's outputs are written, or as long as the code map they are in.
class Arena {
 public:
  char* take(size_t bytes);
  void reset();

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t used_ = 0, size_ = 0;
};

// Results of a block for each entry of one dictionary, and at the end for NULL.
struct CodeMap {
  VectorPtr dictionary;
  std::vector<uint8_t> values, nulls;
  std::vector<Code> errors;
  bool has_nulls = false, has_errors = false;
  Arena arena;
};

struct Frame {
  std::vector<VectorPtr> columns;
  std::vector<Register> registers;
  int n = 0;                       // lanes
  const uint32_t* rows = nullptr;  // row of each lane, or null: base + lane
  int64_t base = 0;
  bool all_active = true;
  int active_count = 0;
  uint16_t active[LANES];  // when not all_active: ascending lanes
  uint32_t row_buffer[LANES];
  bool has_pending = false;  // rows kept by a filter group only because a conjunct failed
  Code pending[LANES];
  Code failed = 0;
  int64_t failed_row = 0;
  int pc = 0;
  int batch_rows = 0;
  const std::vector<Instruction>* code = nullptr;
  std::map<int, std::vector<CodeMap>> code_maps;  // by instruction
  Arena arena;

  int64_t row(int lane) const { return rows ? rows[lane] : base + lane; }
  int live() const { return all_active ? n : active_count; }
  Register& reg(int i) { return registers[size_t(i)]; }
  void fail(Code code_, int lane) {
    failed = code_;
    failed_row = row(lane);
  }
};

// NULLs and errors of a strict instruction: those of its arguments.  Returns the result register with its own data.
Register& strict(Frame& f, const Instruction& in);
// Marks lane i as failed; errors of the result must exist after the first call.
void raise_lane(Frame& f, Register& r, int lane, Code code);
// Whether the lane holds a usable value.
inline bool usable(const Register& r, int i) {
  return !(r.has_nulls && r.nulls[i]) && !(r.has_errors && r.errors[i]);
}

// What the program gives for a column of its output.
struct Output {
  int column = -1;    // pass this input column through, or
  int reg = -1;       // this register, stored as
  std::string format; // this Arrow format
};

struct Result {
  std::vector<VectorPtr> columns;   // null: a passed-through column that stays as it is (when `compact`: nested, to be gathered)
  std::vector<uint32_t> selection;  // rows of the batch that were kept, when `dropped`
  bool dropped = false;             // some row was dropped
  bool compact = false;             // columns are dense, of `rows` rows; else of the batch's length, each value at its row
  int64_t rows = 0;                 // rows kept
  Code failed = 0;                  // a row could not be computed: nothing else is filled
  int64_t failed_row = 0;
};

// The rows a chunk stands for when results keep their row: [first, end), of which the frame has some.
struct Span {
  int64_t first, end;
};

// The writer of one computed output column: dense, or `wide`, each value at its row and arbitrary ones between.
class Writer {
 public:
  Writer(const Output& output, Reg kind, int64_t capacity, bool wide);
  void append(const Frame& f, const Register& r, Span rows);
  void skip(Span rows);  // wide only: no lane of these rows is left
  VectorPtr finish();

 private:
  int place(const Frame& f, Span rows);
  void append_strings(const Frame& f, const Register& r, Span rows);
  void append_nulls(const Frame& f, const Register& r, int count);
  template <class S, class D> void store(const Frame& f, const S* values, D* out);
  template <class D> void store_integer(const Frame& f, const Register& r, D* out);
  const uint8_t* dense(const Frame& f, const uint8_t* bytes, uint8_t* buffer, int count);
  std::string format_;
  Kind kind_;
  bool wide_;
  enum { Lanes, Active, Scatter } layout_ = Lanes;  // of the chunk being written
  int64_t capacity_, length_ = 0;
  BufferPtr data_, validity_, offsets_;
  std::shared_ptr<std::string> bytes_;
};

class Sink {  // takes the rows of each chunk instead of columns
 public:
  virtual ~Sink() = default;
  virtual void take(Frame& frame) = 0;
};

// A loaded program with its scratch memory; single-owner.  std::invalid_argument for a program or batch that does not fit.
class Program {
 public:
  Program(std::vector<Reg> registers, std::vector<Instruction> code, std::vector<Output> outputs, int inputs, int errors);
  Program(const Program&) = delete;
  // Columns that the program neither reads nor must gather may be null.  `numbered`: the caller needs the kept rows' numbers
  // even when all columns are dense.
  Result run(const std::vector<VectorPtr>& columns, int64_t length, const uint32_t* selection, int64_t selected, bool numbered);
  // As run, but the rows go to the sink; the result has neither columns nor a selection.
  Result feed(const std::vector<VectorPtr>& columns, int64_t length, const uint32_t* selection, int64_t selected, Sink& sink);
  const std::vector<Output>& outputs() const { return outputs_; }

 private:
  template <class Done> void run_chunks(Result& result, const uint32_t* selection, int64_t total, Done done);
  void check();
  void allocate();
  void admit(const std::vector<VectorPtr>& columns, int64_t length, const uint32_t* selection, int64_t selected) const;
  bool run_chunk();
  void finish(Result& result, const std::vector<VectorPtr>& columns, const uint32_t* selection, std::vector<Writer>& writers);

  std::vector<Instruction> code_;
  std::vector<Output> outputs_;
  size_t inputs_;
  int errors_;
  bool filters_ = false, computes_ = false, passes_ = false;
  double kept_ = 0;  // part of the rows that the last batch kept: decides between dense results and a selection
  Frame frame_;
  std::vector<BufferPtr> buffers_;
};

Kind storage_kind(const std::string& format, Reg from);  // std::invalid_argument when a register cannot be stored so

}  // namespace tableflow::program
