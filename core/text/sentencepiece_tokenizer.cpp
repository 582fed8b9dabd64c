// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <unordered_map>

#include "core/base/utf8.h"
#include "core/text/sentencepiece_breaks.h"
#include "core/text/token_decoder.h"

namespace lockstep {
namespace {

using sentencepiece::SentencePieceProcessor;
constexpr std::string_view space_symbol = "\xe2\x96\x81";  // U+2581

Result<std::unique_ptr<SentencePieceProcessor>> make_processor(const SentencePieceModel& model) {
    auto processor = std::make_unique<SentencePieceProcessor>();
    const auto status = processor->LoadFromSerializedProto(serialize(model));
    if (!status.ok()) return fail(ErrorKind::invalid_file, "sentencepiece: " + status.ToString());
    return processor;
}

class SentencePieceTokenizer final : public Tokenizer {
  public:
    struct Processors {
        std::unique_ptr<SentencePieceProcessor> usual;
        // Without the space in front, for what is no beginning; null where the model puts none.
        std::unique_ptr<SentencePieceProcessor> inside;
    };
    SentencePieceTokenizer(SentencePieceSpec spec, Processors processors);

    std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options) const override;
    std::string token_bytes(int32_t id, bool show_control) const override;
    std::string decode(std::span<const int32_t> ids, bool show_control) const override;
    std::string_view piece(int32_t id) const override {
        return known(id) ? std::string_view(at(id).text) : std::string_view();
    }

    int32_t vocab_size() const override { return static_cast<int32_t>(pieces_.size()); }
    bool is_control(int32_t id) const override {
        return known(id) && at(id).type == TokenType::control;
    }
    std::optional<int32_t> token_id(std::string_view piece) const override;
    std::optional<int32_t> bos_token_id() const override { return bos_token_id_; }
    std::optional<int32_t> eos_token_id() const override { return eos_token_id_; }
    std::string_view kind() const override { return "sentencepiece"; }

  private:
    using Piece = SentencePieceModel::Piece;
    bool known(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < pieces_.size(); }
    const Piece& at(int32_t id) const { return pieces_[static_cast<size_t>(id)]; }

    void encode_text(std::string_view text, bool prefix, std::vector<int32_t>& ids) const;

    Processors processors_;
    SentencePieceBreaks breaks_;
    bool prefix_after_control_;
    std::vector<Piece> pieces_;
    std::unordered_map<std::string_view, int32_t> ids_;  // of pieces_' texts
    AddedTokens added_;
    std::string unk_surface_;
    bool drops_first_space_;
    std::optional<int32_t> bos_token_id_, eos_token_id_;
    std::vector<int32_t> prefix_, suffix_;
};

SentencePieceTokenizer::SentencePieceTokenizer(SentencePieceSpec spec, Processors processors)
    : processors_(std::move(processors)),
      breaks_(spec.model),
      prefix_after_control_(spec.prefix_after_control),
      pieces_(std::move(spec.model.pieces)),
      unk_surface_(spec.model.unk_surface),
      drops_first_space_(spec.model.add_dummy_prefix || spec.model.remove_extra_whitespaces),
      bos_token_id_(spec.bos_token_id),
      eos_token_id_(spec.eos_token_id) {
    for (size_t i = 0; i < pieces_.size(); ++i) {
        const auto id = static_cast<int32_t>(i);
        ids_.emplace(pieces_[i].text, id);
        if (pieces_[i].type != TokenType::control) continue;
        const auto same = [id](const AddedToken& token) { return token.id == id; };
        if (std::any_of(spec.added.begin(), spec.added.end(), same)) continue;
        AddedToken token;
        token.id = id;
        token.content = pieces_[i].text;
        token.special = true;
        spec.added.push_back(std::move(token));
    }
    added_ = AddedTokens(std::move(spec.added));
    if (spec.add_bos_token && bos_token_id_) prefix_ = {*bos_token_id_};
    if (spec.add_eos_token && eos_token_id_) suffix_ = {*eos_token_id_};
}

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text,
                                                    const EncodeOptions& options) const {
    using Control = EncodeOptions::Control;
    const bool has_input = options.control == Control::outside_input;
    const AddedTokens::Control control{options.control != Control::nowhere,
                                       has_input ? options.input : std::span<const TextRange>()};
    std::vector<int32_t> ids;
    if (options.add_special) ids = prefix_;
    for (const Segment& segment : added_.split(text, control)) {
        const TextRange range = segment.range;
        if (segment.id >= 0)
            ids.push_back(segment.id);
        else
            encode_text(text.substr(range.first, range.last - range.first),
                        range.first == 0 || prefix_after_control_, ids);
    }
    if (options.add_special) ids.insert(ids.end(), suffix_.begin(), suffix_.end());
    return ids;
}

void SentencePieceTokenizer::encode_text(std::string_view text, bool prefix,
                                         std::vector<int32_t>& ids) const {
    std::vector<int> part_ids;
    for (const TextRange part : breaks_.split(text)) {
        const bool inside = processors_.inside != nullptr && (part.first > 0 || !prefix);
        const auto& processor = inside ? *processors_.inside : *processors_.usual;
        part_ids.clear();
        // The model was checked: there is nothing left that could fail.
        if (processor.Encode(text.substr(part.first, part.last - part.first), &part_ids).ok())
            ids.insert(ids.end(), part_ids.begin(), part_ids.end());
    }
}

std::string SentencePieceTokenizer::token_bytes(int32_t id, bool show_control) const {
    if (!known(id)) return {};
    const Piece& piece = at(id);
    switch (piece.type) {
        case TokenType::control:
            return show_control ? piece.text : std::string();
        case TokenType::unknown:
            return unk_surface_;
        case TokenType::byte:
            return std::string(1, static_cast<char>(byte_of_fallback(piece.text)));
        default:
            break;
    }
    std::string bytes;
    std::string_view rest = piece.text;
    while (!rest.empty()) {
        const bool space = rest.starts_with(space_symbol);
        bytes += space ? ' ' : rest.front();
        rest.remove_prefix(space ? space_symbol.size() : 1);
    }
    return bytes;
}

std::string SentencePieceTokenizer::decode(std::span<const int32_t> ids, bool show_control) const {
    if (!show_control) {
        std::vector<int> known_ids;
        std::copy_if(ids.begin(), ids.end(), std::back_inserter(known_ids),
                     [this](int32_t id) { return known(id); });
        std::string text;
        return processors_.usual->Decode(known_ids, &text).ok() ? text : std::string();
    }
    // The library cannot show control tokens.
    std::string text;
    for (const int32_t id : ids) {
        const std::string bytes = token_bytes(id, true);
        const bool drop = text.empty() && drops_first_space_ && bytes.starts_with(' ');
        text += drop ? bytes.substr(1) : bytes;
    }
    return replace_invalid_utf8(text);
}

std::optional<int32_t> SentencePieceTokenizer::token_id(std::string_view piece) const {
    const auto found = ids_.find(piece);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
}

// Adds pieces for the added tokens beyond the model's own, and for gaps between them: the library
// never makes them of a text, as they are cut out before, but decodes them.
Status extend(const std::vector<AddedToken>& added, SentencePieceModel& model) {
    constexpr size_t max_gap = 4096;
    auto& pieces = model.pieces;
    const size_t own = pieces.size();
    for (const AddedToken& token : added) {
        const auto index = static_cast<size_t>(token.id);
        if (index > own + added.size() + max_gap)
            return fail(ErrorKind::invalid_file, "added token \"" + token.content +
                                                     "\" has the id " + std::to_string(token.id) +
                                                     ", but there are only " + std::to_string(own) +
                                                     " pieces");
        for (size_t i = pieces.size(); i <= index; ++i)
            pieces.push_back({"<unused " + std::to_string(i) + ">", 0, TokenType::unused});
        SentencePieceModel::Piece& piece = pieces[index];
        if (index < own && piece.text != token.content)
            return fail(ErrorKind::invalid_file, "added token \"" + token.content +
                                                     "\" has the id of \"" + piece.text + "\", " +
                                                     std::to_string(index));
        piece.text = token.content;
        const bool keeps_type = piece.type == TokenType::unknown || piece.type == TokenType::byte;
        if (!keeps_type) piece.type = token.special ? TokenType::control : TokenType::user_defined;
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> make_sentencepiece_tokenizer(SentencePieceSpec spec) {
    LOCKSTEP_TRY(extend(spec.added, spec.model));
    LOCKSTEP_TRY(check(spec.model));
    SentencePieceTokenizer::Processors processors;
    LOCKSTEP_ASSIGN(processors.usual, make_processor(spec.model));
    if (spec.model.add_dummy_prefix) {
        SentencePieceModel inside = spec.model;
        inside.add_dummy_prefix = false;
        LOCKSTEP_ASSIGN(processors.inside, make_processor(inside));
    }
    return std::make_unique<const SentencePieceTokenizer>(std::move(spec), std::move(processors));
}

}  // namespace lockstep
