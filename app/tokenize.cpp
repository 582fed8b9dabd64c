// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep tokenize: text to ids. Needs no weights.
#include "app/common.h"
#include "app/words.h"

namespace lockstep::app {
namespace {

Options tokenize_options() {
    return {"tokenize",
            "lockstep tokenize --model M [options]\n"
            "Writes [{ids, pieces}] for the text on stdin, or for each text of a JSON array. M "
            "needs no\n"
            "weights: a vocabulary-only GGUF or a folder without safetensors is enough.",
            {
                {"model", "M", "a catalogue name (see lockstep models), a GGUF file or a folder"},
                {"texts", "F.json", "a JSON array of strings instead of stdin"},
                {"special", "",
                 "control tokens written in a text become those tokens (else they are text)"},
                {"bos", "", "add BOS and EOS where the model's own settings say so"},
                {"chat", "F.json",
                 "a JSON array of {role, content}: writes the templated prompt and its\n"
                 "ids, {text, ids}, instead"},
                {"json", "F", "where to write (default: stdout)"},
            }};
}

tl::unexpected<Error> wrong(const std::string& file, const std::string& what) {
    return fail(ErrorKind::invalid_file, file + ": " + what);
}

Result<std::vector<std::string>> read_texts(const Options& options) {
    if (!options.has("texts")) return std::vector<std::string>{read_stdin()};
    const std::string file = options.text("texts");
    LOCKSTEP_ASSIGN(const Json json, read_json_file(file));
    if (!json.is_array()) return wrong(file, "not an array of strings");
    std::vector<std::string> texts;
    for (const Json& text : json) {
        if (!text.is_string())
            return wrong(file, "entry " + std::to_string(texts.size()) + " is not a string");
        texts.push_back(text.get<std::string>());
    }
    return texts;
}

Result<std::vector<ChatMessage>> read_messages(const std::string& file) {
    LOCKSTEP_ASSIGN(const Json json, read_json_file(file));
    if (!json.is_array() || json.empty()) return wrong(file, "not an array of messages");
    std::vector<ChatMessage> messages;
    for (const Json& entry : json) {
        const std::string where = file + ": message " + std::to_string(messages.size());
        LOCKSTEP_ASSIGN(const JsonObject message, JsonObject::of(entry, where));
        ChatMessage& read = messages.emplace_back();
        LOCKSTEP_ASSIGN(read.role, message.string("role"));
        LOCKSTEP_ASSIGN(read.content, message.string("content"));
    }
    return messages;
}

Status tokenize(const Options& options) {
    const std::string target = options.text("json", "-");
    LoadOptions load;
    load.vocabulary_only = true;
    LOCKSTEP_ASSIGN(const std::string name, options.required("model"));
    LOCKSTEP_ASSIGN(const std::filesystem::path path, resolve_model(name));
    LOCKSTEP_ASSIGN(const std::shared_ptr<const Model> model, load_model(path, load));
    if (options.has("chat")) {
        LOCKSTEP_ASSIGN(const std::vector<ChatMessage> messages,
                        read_messages(options.text("chat")));
        LOCKSTEP_ASSIGN(const PreparedPrompt prompt, prepare_chat(*model, messages));
        return write_json(target, {{"text", prompt.text}, {"ids", prompt.ids}}, -1);
    }
    LOCKSTEP_ASSIGN(const std::vector<std::string> texts, read_texts(options));
    EncodeOptions encode;
    if (options.has("special")) encode.control = EncodeOptions::Control::everywhere;
    encode.add_special = options.has("bos");
    OrderedJson all = OrderedJson::array();
    for (const std::string& text : texts) {
        const std::vector<int32_t> ids = model->tokenizer->encode(text, encode);
        OrderedJson pieces = OrderedJson::array();
        for (const int32_t id : ids) pieces.push_back(std::string(model->tokenizer->piece(id)));
        all.push_back({{"ids", ids}, {"pieces", std::move(pieces)}});
    }
    return write_json(target, all, -1);
}

}  // namespace

int run_tokenize(int argc, char** argv) {
    return run_word(tokenize_options(), argc, argv, tokenize);
}

}  // namespace lockstep::app
