// Rows of a program straight into a table of groups: keys and arguments are registers or columns, never stored between.
#pragma once

#include "group_table.h"
#include "program.h"

namespace tableflow::program {

class GroupSink : public Sink {
 public:
  // `keys` and `arguments` are positions among the program's outputs.
  GroupSink(Program& program, const std::vector<VectorPtr>& columns, GroupTable& table, std::vector<int> keys, std::vector<int> arguments);
  void take(Frame& frame) override;

 private:
  bool view(Frame& frame, int output, Input& input);
  void place(Frame& frame, int output, Input& input);
  bool take_lanes(Frame& frame);
  GroupTable& table_;
  const std::vector<Output>& outputs_;
  std::vector<VectorPtr> columns_;
  std::vector<int> keys_, arguments_;
  std::vector<Input> key_inputs_, argument_inputs_;
  std::vector<VectorPtr> made_;   // of this chunk, by output
  std::vector<Vector> views_;     // of registers
  std::vector<uint32_t> rows_;
};

}  // namespace tableflow::program
