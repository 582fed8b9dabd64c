// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/tokenizer_json.h"

#include "core/text/hf_tokenizer_config.h"

namespace lockstep {
namespace {

// The largest id that a file with so many tokens may give: gaps are allowed, but a table of two
// thousand million ids for three tokens is not.
int64_t largest_id(size_t tokens) {
    return static_cast<int64_t>(4 * tokens + 4096);
}

std::string in_quotes(std::string_view text) {
    return std::string("\"").append(text.substr(0, 100)).append("\"");
}

class Builder {
  public:
    explicit Builder(const JsonObject& root) : root_(root) {}

    Result<BpeSpec> run() {
        LOCKSTEP_ASSIGN(const JsonObject model, root_.object("model"));
        LOCKSTEP_TRY(check_type(model));
        LOCKSTEP_ASSIGN(spec_.normalizer, parse_normalizer(root_));
        LOCKSTEP_ASSIGN(ParsedPreTokenizer parsed, parse_pre_tokenizer(root_));
        LOCKSTEP_ASSIGN(spec_.decoder, parse_decoder(root_));
        spec_.pre_tokenizer = std::move(parsed.pre_tokenizer);
        spec_.vocabulary.byte_level = parsed.byte_level;
        LOCKSTEP_TRY(read_options(model));
        LOCKSTEP_TRY(read_vocab(model));
        LOCKSTEP_TRY(read_merges(model));
        LOCKSTEP_TRY(read_added());
        LOCKSTEP_TRY(read_post_processor());
        return std::move(spec_);
    }

  private:
    Status check_type(const JsonObject& model) const {
        // Old files name no type.
        LOCKSTEP_ASSIGN(const std::string type, model.string_or("type", "BPE"));
        if (type != "BPE")
            return model.error("type", in_quotes(type) + " is not supported; \"BPE\" is",
                               ErrorKind::unsupported);
        for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
            LOCKSTEP_ASSIGN(const std::string value, model.string_or(affix, ""));
            if (!value.empty())
                return model.error(affix, "is not supported", ErrorKind::unsupported);
        }
        LOCKSTEP_ASSIGN(const double dropout, model.number_or("dropout", 0, 0, 1));
        if (dropout != 0) return model.error("dropout", "is not supported", ErrorKind::unsupported);
        return {};
    }

    Status read_options(const JsonObject& model) {
        BpeVocabulary& vocabulary = spec_.vocabulary;
        if (model.has("unk_token")) {
            LOCKSTEP_ASSIGN(vocabulary.unknown_token, model.string("unk_token"));
        }
        LOCKSTEP_ASSIGN(vocabulary.fuse_unknown, model.boolean_or("fuse_unk", false));
        LOCKSTEP_ASSIGN(vocabulary.byte_fallback, model.boolean_or("byte_fallback", false));
        LOCKSTEP_ASSIGN(vocabulary.ignore_merges, model.boolean_or("ignore_merges", false));
        return {};
    }

    // Gives an id to a token; the same again is no error.
    Status put(const std::string& where, const std::string& token, int64_t id) {
        const auto index = static_cast<size_t>(id);
        if (index >= spec_.pieces.size()) spec_.pieces.resize(index + 1);
        std::string& piece = spec_.pieces[index];
        if (!piece.empty() && piece != token)
            return fail(ErrorKind::invalid_file, where + ": id " + std::to_string(id) +
                                                     " is given to " + in_quotes(piece) +
                                                     " and to " + in_quotes(token));
        piece = token;
        return {};
    }

    Status read_vocab(const JsonObject& model) {
        LOCKSTEP_ASSIGN(const JsonObject vocab, model.object("vocab"));
        const Json& tokens = vocab.json();
        if (tokens.empty()) return model.error("vocab", "is empty");
        const Json* added = root_.find("added_tokens");
        largest_id_ = largest_id(tokens.size() + (added == nullptr ? 0 : added->size()));
        spec_.vocabulary.tokens.reserve(tokens.size());
        for (const auto& [token, value] : tokens.items()) {
            const bool fits = value.is_number_integer() && value >= 0 && value <= largest_id_;
            if (!fits)
                return model.error("vocab", in_quotes(token) + " has the id " + value.dump() +
                                                ", not a number in [0, " +
                                                std::to_string(largest_id_) + "]");
            const auto id = value.get<int32_t>();
            LOCKSTEP_TRY(put(model.where("vocab"), token, id));
            spec_.vocabulary.tokens.emplace_back(token, id);
        }
        return {};
    }

    Status read_merges(const JsonObject& model) {
        LOCKSTEP_ASSIGN(const Json* merges, model.array("merges"));
        spec_.vocabulary.merges.reserve(merges->size());
        for (size_t rank = 0; rank < merges->size(); ++rank) {
            const Json& merge = (*merges)[rank];
            if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version"))
                continue;
            if (!add_merge(merge))
                return model.error(nth("merges", rank),
                                   "is neither \"left right\" nor [\"left\", \"right\"]");
        }
        return {};
    }

    bool add_merge(const Json& merge) {
        auto& merges = spec_.vocabulary.merges;
        if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
            merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
            return true;
        }
        if (!merge.is_string()) return false;
        const auto& text = merge.get_ref<const std::string&>();
        const size_t space = text.find(' ');
        if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
            return false;
        merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        return true;
    }

    Status read_added() {
        if (!root_.has("added_tokens")) return {};
        LOCKSTEP_ASSIGN(const Json* added, root_.array("added_tokens"));
        for (size_t i = 0; i < added->size(); ++i) {
            const std::string where = nth(root_.where("added_tokens"), i);
            LOCKSTEP_ASSIGN(const JsonObject object, JsonObject::of((*added)[i], where));
            LOCKSTEP_ASSIGN(AddedToken token, parse_added(object));
            if (token.content.empty()) continue;
            LOCKSTEP_TRY(check_agrees(object, token));
            LOCKSTEP_TRY(put(where, token.content, token.id));
            spec_.added.push_back(std::move(token));
        }
        return {};
    }

    // A token that the vocabulary has too must have the same id there.
    Status check_agrees(const JsonObject& object, const AddedToken& token) const {
        LOCKSTEP_ASSIGN(const JsonObject model, root_.object("model"));
        LOCKSTEP_ASSIGN(const JsonObject vocab, model.object("vocab"));
        const Json* id = vocab.find(token.content);
        if (id == nullptr || *id == token.id) return {};
        return object.error("id",
                            std::to_string(token.id) + " is " + id->dump() + " in the vocabulary");
    }

    Result<AddedToken> parse_added(const JsonObject& object) const {
        LOCKSTEP_ASSIGN(const int64_t id, object.integer("id", 0, largest_id_));
        LOCKSTEP_ASSIGN(AddedToken token, parse_added_token(object));
        token.id = static_cast<int32_t>(id);
        return token;
    }

    Status read_post_processor() {
        return for_each_step(root_, "post_processor", "processors",
                             [this](const JsonObject& step, const std::string& type) -> Status {
                                 if (type == "ByteLevel") return {};
                                 if (type == "TemplateProcessing") return read_template(step);
                                 return unknown_step(step, type,
                                                     "ByteLevel, Sequence, TemplateProcessing");
                             });
    }

    // What "single" puts before and behind the text.
    Status read_template(const JsonObject& step) {
        LOCKSTEP_ASSIGN(const Json* single, step.array("single"));
        std::vector<int32_t> before, behind;
        int sequences = 0;
        for (size_t i = 0; i < single->size(); ++i) {
            const std::string where = nth(step.where("single"), i);
            LOCKSTEP_ASSIGN(const JsonObject part, JsonObject::of((*single)[i], where));
            if (part.has("Sequence")) {
                ++sequences;
                continue;
            }
            LOCKSTEP_ASSIGN(const JsonObject special, part.object("SpecialToken"));
            LOCKSTEP_ASSIGN(const std::string name, special.string("id"));
            LOCKSTEP_TRY(add_special_ids(step, name, sequences == 0 ? before : behind));
        }
        if (sequences != 1) return step.error("single", "does not hold the text exactly once");
        spec_.prefix.insert(spec_.prefix.begin(), before.begin(), before.end());
        spec_.suffix.insert(spec_.suffix.end(), behind.begin(), behind.end());
        return {};
    }

    Status add_special_ids(const JsonObject& step, const std::string& name,
                           std::vector<int32_t>& ids) {
        LOCKSTEP_ASSIGN(const JsonObject specials, step.object("special_tokens"));
        LOCKSTEP_ASSIGN(const JsonObject special, specials.object(name));
        const auto last = static_cast<int64_t>(spec_.pieces.size()) - 1;
        LOCKSTEP_ASSIGN(const std::vector<int64_t> given, special.integers_or_none("ids", 0, last));
        for (const int64_t id : given) ids.push_back(static_cast<int32_t>(id));
        return {};
    }

    const JsonObject& root_;
    BpeSpec spec_;
    int64_t largest_id_ = 0;
};

}  // namespace

Result<BpeSpec> bpe_spec_from_json(const Json& root, const std::string& where) {
    LOCKSTEP_ASSIGN(const JsonObject object, JsonObject::of(root, where));
    return Builder(object).run();
}

}  // namespace lockstep
