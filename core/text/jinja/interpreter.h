// SPDX-License-Identifier: GPL-3.0-or-later
// Walks a parsed template and writes what it says.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/text/jinja/ast.h"
#include "core/text/jinja/loop_state.h"
#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

struct Macro;
struct RecursiveLoop;

// The names of one scope. A loop's body has a new one for each item: what is set there is gone
// with it.
struct Frame {
    std::unordered_map<std::string, Value> variables;
    std::shared_ptr<Frame> parent;
    bool captured = false;  // by a macro
};

// One rendering; the program must outlive it.
class Interpreter : public Runtime {
  public:
    Interpreter(const Limits& limits, std::chrono::system_clock::time_point now)
        : Runtime(limits, now) {}
    ~Interpreter() override;

    // An error begins with "line N: ".
    Result<Text> render(const Program& program,
                        std::vector<std::pair<std::string, Value>>&& variables);
    Result<Value> call(const Value& callee, Arguments arguments) override;

  private:
    friend struct Macro;
    friend struct RecursiveLoop;
    enum class Flow { normal, break_loop, continue_loop };

    // statements: interpreter.cpp
    Result<Flow> execute(const Body& body);
    Result<Flow> execute(const Statement& node);
    Result<Flow> execute_kind(const Statement& node);
    Result<Flow> in_scope(const Body& body, std::shared_ptr<Frame> frame);
    Status print(const Value& value);
    Status set(const Statement& node);
    Status set_block(const Statement& node);
    Status filter_block(const Statement& node);
    Result<Flow> with(const Statement& node);
    Status call_block(const Statement& node);
    Status assign(const Target& target, const Value& value);
    Status assign_parts(const Target& target, const Value& value);
    // What a block prints, through its filters.
    Result<Value> captured(const Body& body, std::shared_ptr<Frame> frame);
    Result<Value> filtered(const ExpressionPtr& filter, Value value);

    // loops and macros: interpreter_calls.cpp
    Result<Flow> loop(const Statement& node);
    Result<Flow> run_loop(const Statement& node, const Value& iterable, int depth);
    Result<Value> loop_sequence(const Statement& node, const Value& iterable);
    Value make_macro(const Statement& node, const std::string& name);
    Result<Value> call_macro(const Macro& macro, const Arguments& arguments);
    Status bind_parameters(const Macro& macro, const Arguments& arguments);

    // expressions: evaluate.cpp
    Result<Value> evaluate(const Expression& node);
    Result<Value> evaluate_kind(const Expression& node);
    Result<std::vector<Value>> evaluate_all(const std::vector<ExpressionPtr>& parts);
    Result<Value> evaluate_dict(const Expression& node);
    Result<Value> evaluate_logical(const Expression& node);
    Result<Value> evaluate_compare(const Expression& node);
    Result<Value> evaluate_concat(const Expression& node);
    Result<Value> evaluate_conditional(const Expression& node);
    Result<Value> evaluate_slice(const Expression& node);
    Result<Value> evaluate_call(const Expression& node);
    Result<Value> evaluate_applied(const Expression& node);  // a filter or a test
    Status add_arguments(const Expression& node, Arguments& arguments);
    Value lookup(const std::string& name) const;

    std::shared_ptr<Frame> inner_frame() const;
    void note_line(int line);
    Status enter();  // one level deeper; leave() on every way out
    void leave() { --depth_; }

    std::shared_ptr<Frame> frame_;
    std::vector<std::shared_ptr<Frame>> captured_frames_;  // by macros: emptied at the end
    Text* output_ = nullptr;
    Value block_text_;  // what a block's filter is applied to
    int depth_ = 0;
    int call_depth_ = 0;
    int error_line_ = 0;
};

}  // namespace lockstep::jinja
