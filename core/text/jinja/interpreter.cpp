// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/interpreter.h"

#include "core/text/jinja/access.h"
#include "core/text/jinja/lexer.h"
#include "core/text/jinja/python_text.h"

namespace lockstep::jinja {
namespace {

// Of statements and expressions within each other, macros' included: what the stack holds for sure.
constexpr int max_depth = 600;

template <class T>
class Restore {  // puts a member's value back
  public:
    Restore(T& member, T value) : member_(member), old_(std::exchange(member, std::move(value))) {}
    ~Restore() { member_ = std::move(old_); }
    Restore(const Restore&) = delete;
    Restore& operator=(const Restore&) = delete;

  private:
    T& member_;
    T old_;
};

}  // namespace

Interpreter::~Interpreter() {
    // Each is still held here while another's end lets go of it: nothing is freed recursively.
    for (const auto& names : namespaces_) names->attributes.clear();
    for (const auto& frame : captured_frames_) frame->variables.clear();
}

Result<Text> Interpreter::render(const Program& program,
                                 std::vector<std::pair<std::string, Value>>&& variables) {
    Text text;
    output_ = &text;
    frame_ = std::make_shared<Frame>();
    for (auto& [name, value] : variables) frame_->variables[name] = std::move(value);
    auto flow = execute(program.body);
    if (flow) return text;
    if (error_line_ == 0 || refusal()) return tl::unexpected<Error>(std::move(flow).error());
    return within("line " + std::to_string(error_line_), std::move(flow).error());
}

void Interpreter::note_line(int line) {
    if (error_line_ == 0) error_line_ = line;
}

Status Interpreter::enter() {
    if (++depth_ <= max_depth) return {};
    return lockstep::fail(ErrorKind::unsupported,
                          "the template nests more than " + std::to_string(max_depth) + " deep");
}

std::shared_ptr<Frame> Interpreter::inner_frame() const {
    auto frame = std::make_shared<Frame>();
    frame->parent = frame_;
    return frame;
}

Result<Interpreter::Flow> Interpreter::execute(const Body& body) {
    Flow flow = Flow::normal;
    for (const auto& node : body) {
        LOCKSTEP_ASSIGN(flow, execute(*node));
        if (flow != Flow::normal) break;
    }
    return flow;
}

Result<Interpreter::Flow> Interpreter::execute(const Statement& node) {
    Status ready = enter();
    if (ready) ready = step();
    Result<Flow> flow = Flow::normal;
    if (ready)
        flow = execute_kind(node);
    else
        flow = tl::unexpected<Error>(std::move(ready).error());
    leave();
    if (!flow) note_line(node.line);
    return flow;
}

Result<Interpreter::Flow> Interpreter::execute_kind(const Statement& node) {
    using Kind = Statement::Kind;
    switch (node.kind) {
        case Kind::data:
            LOCKSTEP_TRY(print(node.text));
            break;
        case Kind::output: {
            LOCKSTEP_ASSIGN(const Value value, evaluate(*node.value));
            LOCKSTEP_TRY(print(value));
            break;
        }
        case Kind::conditional: {
            LOCKSTEP_ASSIGN(const Value condition, evaluate(*node.value));
            return execute(condition.truth() ? node.body : node.other);
        }
        case Kind::loop:
            return loop(node);
        case Kind::set:
            LOCKSTEP_TRY(set(node));
            break;
        case Kind::set_block:
            LOCKSTEP_TRY(set_block(node));
            break;
        case Kind::with:
            return with(node);
        case Kind::scope:
            return in_scope(node.body, inner_frame());
        case Kind::macro:
            frame_->variables[node.name] = make_macro(node, node.name);
            break;
        case Kind::call_block:
            LOCKSTEP_TRY(call_block(node));
            break;
        case Kind::filter_block:
            LOCKSTEP_TRY(filter_block(node));
            break;
        case Kind::break_loop:
            return Flow::break_loop;
        case Kind::continue_loop:
            return Flow::continue_loop;
    }
    return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::in_scope(const Body& body, std::shared_ptr<Frame> frame) {
    const Restore scope(frame_, std::move(frame));
    return execute(body);
}

Status Interpreter::print(const Value& value) {
    LOCKSTEP_ASSIGN(const Text text, to_text(*this, value));
    LOCKSTEP_TRY(check_string(output_->size() + text.size()));
    LOCKSTEP_TRY(allocate(text.size()));
    output_->append(text);
    return {};
}

Status Interpreter::set(const Statement& node) {
    LOCKSTEP_ASSIGN(const Value value, evaluate(*node.value));
    return assign(node.targets.front(), value);
}

Status Interpreter::set_block(const Statement& node) {
    LOCKSTEP_ASSIGN(Value value, captured(node.body, inner_frame()));
    LOCKSTEP_ASSIGN(value, filtered(node.filter, std::move(value)));
    return assign(node.targets.front(), value);
}

Status Interpreter::filter_block(const Statement& node) {
    LOCKSTEP_ASSIGN(Value value, captured(node.body, inner_frame()));
    LOCKSTEP_ASSIGN(value, filtered(node.filter, std::move(value)));
    return print(value);
}

// The values are those of the scope around it, not of the targets before them.
Result<Interpreter::Flow> Interpreter::with(const Statement& node) {
    LOCKSTEP_ASSIGN(const std::vector<Value> values, evaluate_all(node.values));
    const Restore scope(frame_, inner_frame());
    for (size_t i = 0; i < values.size(); ++i) LOCKSTEP_TRY(assign(node.targets[i], values[i]));
    return execute(node.body);
}

Status Interpreter::call_block(const Statement& node) {
    const Expression& call_node = *node.value;
    LOCKSTEP_ASSIGN(const Value callee, evaluate(*call_node.parts.front()));
    Arguments arguments;
    LOCKSTEP_TRY(add_arguments(call_node, arguments));
    arguments.keyword.emplace_back("caller", make_macro(node, "caller"));
    LOCKSTEP_ASSIGN(const Value value, call(callee, std::move(arguments)));
    return print(value);
}

Result<Value> Interpreter::captured(const Body& body, std::shared_ptr<Frame> frame) {
    Text text;
    const Restore output(output_, &text);
    LOCKSTEP_TRY(in_scope(body, std::move(frame)));
    return make_text(std::move(text));
}

Result<Value> Interpreter::filtered(const ExpressionPtr& filter, Value value) {
    if (!filter) return value;
    const Restore input(block_text_, std::move(value));
    return evaluate(*filter);
}

Status Interpreter::assign(const Target& target, const Value& value) {
    if (!target.parts.empty()) return assign_parts(target, value);
    if (target.attribute.empty()) {
        frame_->variables[target.name] = value;
        return {};
    }
    const auto names = lookup(target.name).as_namespace();
    if (!names) return fail("'" + target.name + "' is no namespace: it cannot be assigned to");
    if (target.attribute.starts_with('_'))
        return fail("a namespace's '" + target.attribute + "' begins with _");
    if (Value* old = names->find(target.attribute))
        *old = value;
    else
        names->attributes.emplace_back(target.attribute, value);
    return {};
}

Status Interpreter::assign_parts(const Target& target, const Value& value) {
    LOCKSTEP_ASSIGN(const std::vector<Value> values, iterate(*this, value));
    if (values.size() != target.parts.size())
        return fail(std::to_string(target.parts.size()) + " names cannot take " +
                    std::to_string(values.size()) + " values");
    for (size_t i = 0; i < values.size(); ++i) LOCKSTEP_TRY(assign(target.parts[i], values[i]));
    return {};
}

}  // namespace lockstep::jinja
