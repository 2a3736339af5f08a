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
  rows_.resize(LANES);
}

void GroupSink::place(Frame& frame, int output, Input& input) {
  const Output& o = outputs_[size_t(output)];
  if (o.reg < 0) {
    input = {columns_[size_t(o.column)].get(), false, nullptr};
    return;
  }
  VectorPtr& made = made_[size_t(output)];
  if (!made) {
    const Register& r = frame.reg(o.reg);
    const Kind kind = storage_kind(o.format, r.kind);
    const bool same = (kind == Kind::I32 && r.kind == Reg::I32) || (kind == Kind::I64 && r.kind == Reg::I64) ||
                      (kind == Kind::I128 && r.kind == Reg::I128) || (kind == Kind::F64 && r.kind == Reg::F64);
    if (same && frame.all_active && !r.has_nulls) {  // the register itself
      made = std::make_shared<Vector>();
      made->kind = kind;
      made->format = o.format;
      made->length = frame.n;
      made->data = static_cast<const uint8_t*>(r.data);
    } else {
      Writer writer(o, r.kind, frame.live(), false);
      writer.append(frame, r, {});
      made = writer.finish();
    }
  }
  input = {made.get(), true, nullptr};
}

void GroupSink::take(Frame& frame) {
  const int live = frame.live();
  const uint32_t* rows = frame.rows;
  if (!frame.all_active || !rows) {
    for (int j = 0; j < live; ++j) rows_[size_t(j)] = uint32_t(frame.row(frame.all_active ? j : frame.active[j]));
    rows = rows_.data();
  }
  for (size_t i = 0; i < keys_.size(); ++i) place(frame, keys_[i], key_inputs_[i]);
  for (size_t i = 0; i < arguments_.size(); ++i) place(frame, arguments_[i], argument_inputs_[i]);
  table_.update(key_inputs_, argument_inputs_, rows, live);
  for (auto& made : made_) made.reset();
}

}  // namespace tableflow::program
