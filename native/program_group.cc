#include "program_group.h"

namespace tableflow::program {

GroupSink::GroupSink(Program& program, const std::vector<VectorPtr>& columns, GroupTable& table, std::vector<int> keys,
                     std::vector<int> arguments)
    : table_(table), outputs_(program.outputs()), columns_(columns), keys_(std::move(keys)), arguments_(std::move(arguments)) {
  for (const auto* list : {&keys_, &arguments_})
    for (const int output : *list) {
      if (output < 0 || size_t(output) >= outputs_.size()) throw std::out_of_range("an output the program does not have");
      const Output& o = outputs_[size_t(output)];
      if (o.reg < 0 && (size_t(o.column) >= columns_.size() || !columns_[size_t(o.column)]))
        throw std::invalid_argument("a column to be grouped is missing");
    }
  key_inputs_.resize(keys_.size());
  argument_inputs_.resize(arguments_.size());
  made_.resize(outputs_.size());
  views_.resize(outputs_.size());
  for (size_t i = 0; i < outputs_.size(); ++i) views_[i].format = outputs_[i].format;
  rows_.resize(LANES);
}

// The register itself as a vector, if that is how the output is stored.
bool GroupSink::view(Frame& frame, int output, Input& input) {
  const Output& o = outputs_[size_t(output)];
  const Register& r = frame.reg(o.reg);
  const Kind kind = storage_kind(o.format, r.kind);
  const bool same = (kind == Kind::I32 && r.kind == Reg::I32) || (kind == Kind::I64 && r.kind == Reg::I64) ||
                    (kind == Kind::I128 && r.kind == Reg::I128) || (kind == Kind::F64 && r.kind == Reg::F64);
  if (!same || r.has_nulls) return false;
  Vector& seen = views_[size_t(output)];
  seen.kind = kind;
  seen.length = frame.n;
  seen.data = static_cast<const uint8_t*>(r.data);
  input = {&seen, true, nullptr};
  return true;
}

void GroupSink::place(Frame& frame, int output, Input& input) {
  const Output& o = outputs_[size_t(output)];
  if (o.reg < 0) {
    input = {columns_[size_t(o.column)].get(), false, nullptr};
    return;
  }
  if (frame.all_active && view(frame, output, input)) return;
  VectorPtr& made = made_[size_t(output)];
  if (!made) {
    const Register& r = frame.reg(o.reg);
    Writer writer(o, r.kind, frame.live(), false);
    writer.append(frame, r, {});
    made = writer.finish();
  }
  input = {made.get(), true, nullptr};
}

// Few lanes are left out by a filter: the others stay where they are.
bool GroupSink::take_lanes(Frame& frame) {
  const auto there = [&](int output, Input& input) {
    const Output& o = outputs_[size_t(output)];
    if (o.reg >= 0) return view(frame, output, input);
    input = {columns_[size_t(o.column)].get(), false, nullptr};
    return true;
  };
  for (size_t i = 0; i < keys_.size(); ++i)
    if (!there(keys_[i], key_inputs_[i])) return false;
  for (size_t i = 0; i < arguments_.size(); ++i)
    if (!there(arguments_[i], argument_inputs_[i])) return false;
  return table_.update_lanes(key_inputs_, argument_inputs_, {frame.rows, 0, frame.n, frame.base},
                             {frame.active, size_t(frame.active_count)});
}

void GroupSink::take(Frame& frame) {
  if (!frame.all_active && take_lanes(frame)) return;
  const uint32_t* rows = frame.rows;
  if (!frame.all_active) {
    for (int j = 0; j < frame.active_count; ++j) rows_[size_t(j)] = uint32_t(frame.row(frame.active[j]));
    rows = rows_.data();
  }
  for (size_t i = 0; i < keys_.size(); ++i) place(frame, keys_[i], key_inputs_[i]);
  for (size_t i = 0; i < arguments_.size(); ++i) place(frame, arguments_[i], argument_inputs_[i]);
  table_.update(key_inputs_, argument_inputs_, rows, frame.live(), nullptr, nullptr, frame.base);
  for (auto& made : made_) made.reset();
}

}  // namespace tableflow::program
