// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/chat_template.h"

#include <array>
#include <utility>

#include "core/text/jinja/interpreter.h"
#include "core/text/jinja/json_value.h"
#include "core/text/jinja/parser.h"

namespace lockstep {
namespace {

using jinja::Value;

constexpr std::string_view chatml_source =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

constexpr std::string_view probe_tools = R"([{"type": "function", "function": {
    "name": "probe_tool", "description": "A probe.", "parameters": {"type": "object",
    "properties": {"probe_argument": {"type": "string", "description": "A probe.",
    "enum": ["a", "b"]}}, "required": ["probe_argument"]}}}])";

using Variables = std::vector<std::pair<std::string, Value>>;

Value role_value(const std::string& role) {
    constexpr std::array<std::string_view, 7> known{"system",    "user",    "assistant", "tool",
                                                    "developer", "ipython", "function"};
    const bool is_known = std::find(known.begin(), known.end(), role) != known.end();
    return Value::text(is_known ? jinja::Text(role) : jinja::Text::from_input(role));
}

void put(jinja::Dict& dict, std::string_view name, Value value) {
    const Value key = Value::text(name);
    dict.set(*key.hash_key(), key, std::move(value));
}

// A JSON object's fields, their texts being input.
Result<jinja::Dict> parse_fields(const std::string& json, const std::string& where) {
    jinja::Dict fields;
    if (json.empty()) return fields;
    LOCKSTEP_ASSIGN(const Value value, jinja::value_of_json(json, where));
    if (!value.is_dict()) return fail(ErrorKind::invalid_argument, where + ": not a JSON object");
    return value.as_dict();
}

Result<Value> message_value(const ChatMessage& message) {
    LOCKSTEP_ASSIGN(const jinja::Dict fields, parse_fields(message.fields_json, "message"));
    jinja::Dict dict;
    put(dict, "role", role_value(message.role));
    put(dict, "content", Value::text(jinja::Text::from_input(message.content)));
    for (const auto& [key, value] : fields.entries) put(dict, key.bytes(), value);
    return Value::dict(std::move(dict));
}

Result<Variables> variables_of(const TemplateInputs& inputs) {
    std::vector<Value> messages;
    for (const ChatMessage& message : inputs.messages) {
        LOCKSTEP_ASSIGN(Value value, message_value(message));
        messages.push_back(std::move(value));
    }
    Value tools = Value::none();
    if (!inputs.tools_json.empty()) {
        LOCKSTEP_ASSIGN(tools, jinja::value_of_json(inputs.tools_json, "tools"));
        if (!tools.is_sequence())
            return fail(ErrorKind::invalid_argument, "tools: not a JSON array");
    }
    LOCKSTEP_ASSIGN(const jinja::Dict more, parse_fields(inputs.variables_json, "variables"));
    Variables variables{
        {"messages", Value::sequence(std::move(messages))},
        {"tools", std::move(tools)},
        {"documents", Value::none()},
        {"add_generation_prompt", Value::boolean(inputs.add_generation_prompt)},
        {"bos_token", Value::text(inputs.bos_token)},
        {"eos_token", Value::text(inputs.eos_token)},
    };
    for (const auto& [key, value] : more.entries) variables.emplace_back(key.bytes(), value);
    return variables;
}

struct Rendering {
    Result<jinja::Text> text;
    bool refused = false;
};

Rendering render_program(const jinja::Program& program, const TemplateInputs& inputs) {
    auto variables = variables_of(inputs);
    if (!variables) return {tl::unexpected<Error>(std::move(variables).error()), false};
    jinja::Extent extent;
    for (const auto& [name, value] : *variables) extent.hold(value.extent());
    jinja::Interpreter interpreter(jinja::Limits().for_input(extent.weight), inputs.now);
    auto text = interpreter.render(program, *std::move(variables));
    if (interpreter.refusal()) return {std::move(text), true};
    return {std::move(text), false};
}

TemplateInputs probe(bool system, bool turns, bool tools, bool generate) {
    TemplateInputs inputs;
    inputs.bos_token = "<s>";
    inputs.eos_token = "</s>";
    inputs.add_generation_prompt = generate;
    if (system) inputs.messages.push_back({"system", "probe_system"});
    inputs.messages.push_back({"user", "probe_user"});
    if (turns) {
        inputs.messages.push_back({"assistant", "probe_assistant"});
        inputs.messages.push_back({"user", "probe_again"});
    }
    if (tools) inputs.tools_json = probe_tools;
    return inputs;
}

// Whether the conversation goes through, and `word` comes out. A refusal is no error.
Result<bool> says(const jinja::Program& program, const TemplateInputs& inputs,
                  std::string_view word) {
    Rendering rendering = render_program(program, inputs);
    if (rendering.refused) return false;
    LOCKSTEP_ASSIGN(const jinja::Text text, std::move(rendering.text));
    return text.bytes().find(word) != std::string::npos;
}

}  // namespace

std::vector<ChatMessage> fold_system(const std::vector<ChatMessage>& messages) {
    std::vector<ChatMessage> folded;
    std::string waiting;  // for a user message
    for (const ChatMessage& message : messages) {
        if (message.role == "system") {
            waiting += (waiting.empty() ? "" : "\n\n") + message.content;
            continue;
        }
        folded.push_back(message);
        if (message.role != "user" || waiting.empty()) continue;
        folded.back().content = waiting + "\n\n" + message.content;
        waiting.clear();
    }
    if (!waiting.empty()) folded.push_back({"user", waiting});
    return folded;
}

ChatTemplate::ChatTemplate() : ChatTemplate(chatml()) {}

Result<ChatTemplate> ChatTemplate::compile(std::string_view source) {
    LOCKSTEP_ASSIGN(jinja::Program parsed, jinja::parse(source));
    ChatTemplate made{Uncompiled()};
    made.source_ = source;
    made.program_ = std::make_shared<const jinja::Program>(std::move(parsed));
    const jinja::Program& program = *made.program_;
    for (const bool system : {false, true})
        for (const bool turns : {false, true})
            LOCKSTEP_TRY(says(program, probe(system, turns, false, turns), ""));
    LOCKSTEP_ASSIGN(made.supports_system_role_,
                    says(program, probe(true, false, false, true), "probe_system"));
    const auto with_tools = says(program, probe(false, false, true, true), "probe_tool");
    made.supports_tools_ = with_tools.value_or(false);
    if (!with_tools) made.tools_problem_ = with_tools.error().message;
    return made;
}

const ChatTemplate& ChatTemplate::chatml() {
    static const ChatTemplate chatml = *compile(chatml_source);
    return chatml;
}

Result<RenderedPrompt> ChatTemplate::render(const TemplateInputs& inputs) const {
    Rendering rendering = render_program(*program_, inputs);
    if (rendering.refused)
        return within("the chat template refuses this conversation",
                      std::move(rendering.text).error());
    if (!rendering.text) return within("chat template", std::move(rendering.text).error());
    return RenderedPrompt{rendering.text->bytes(), rendering.text->input()};
}

}  // namespace lockstep
