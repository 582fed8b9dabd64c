// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/bpe_tokenizer.h"

#include <algorithm>

#include "core/base/utf8.h"

namespace lockstep {
namespace {

// A text that is valid UTF-8, and where the parts that somebody typed lie in it.
struct CleanText {
    std::string replaced;  // where bytes had to be replaced
    std::string_view text;
    std::vector<TextRange> input;

    CleanText(std::string_view source, std::span<const TextRange> given) {
        input.assign(given.begin(), given.end());
        for (TextRange& range : input) {
            range.first = std::min(range.first, source.size());
            range.last = std::min(range.last, source.size());
        }
        text = source;
        if (is_valid_utf8(source)) return;
        size_t done = 0;
        const auto replace_until = [&](size_t end) {
            if (done < end) replaced += replace_invalid_utf8(source.substr(done, end - done));
            done = std::max(done, end);
            return replaced.size();
        };
        for (TextRange& range : input)
            range = {replace_until(range.first), replace_until(range.last)};
        replace_until(source.size());
        text = replaced;
    }
};

std::string_view sub(std::string_view text, TextRange range) {
    return text.substr(range.first, range.last - range.first);
}

class BpeTokenizer final : public Tokenizer {
  public:
    BpeTokenizer(BpeSpec spec, BpeModel model);

    std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options) const override;
    std::string token_bytes(int32_t id, bool show_control) const override;
    std::string decode(std::span<const int32_t> ids, bool show_control) const override;
    std::string_view piece(int32_t id) const override;

    int32_t vocab_size() const override { return static_cast<int32_t>(pieces_.size()); }
    bool is_control(int32_t id) const override { return known(id) && control_[index(id)]; }
    std::optional<int32_t> token_id(std::string_view piece) const override;
    std::optional<int32_t> bos_token_id() const override { return bos_token_id_; }
    std::optional<int32_t> eos_token_id() const override { return eos_token_id_; }
    std::string_view kind() const override { return "byte-level BPE"; }

  private:
    static size_t index(int32_t id) { return static_cast<size_t>(id); }
    bool known(int32_t id) const { return id >= 0 && index(id) < pieces_.size(); }
    struct Run;  // one call of encode
    void encode_text(std::string_view text, bool begins_input, Run& run) const;
    void encode_pieces(std::string text, bool begins_input, Run& run) const;

    std::vector<std::string> pieces_;
    std::vector<bool> control_;
    std::unordered_map<std::string, int32_t> added_ids_;
    BpeModel model_;
    AddedTokens in_text_, in_normalized_;
    // Where parts of a text are typed, all control tokens are sought before the text is normalised:
    // only there it is known who wrote what.
    AddedTokens in_prompt_;
    Normalizer normalizer_;
    PreTokenizer pre_tokenizer_;
    TokenDecoder decoder_;
    std::vector<int32_t> prefix_, suffix_;
    std::optional<int32_t> bos_token_id_, eos_token_id_;
};

struct BpeTokenizer::Run {
    AddedTokens::Control control;  // in normalised text
    BpeModel::Workspace workspace;
    std::vector<int32_t> ids;
};

BpeTokenizer::BpeTokenizer(BpeSpec spec, BpeModel model)
    : pieces_(std::move(spec.pieces)),
      control_(pieces_.size()),
      model_(std::move(model)),
      normalizer_(std::move(spec.normalizer)),
      pre_tokenizer_(std::move(spec.pre_tokenizer)),
      decoder_(std::move(spec.decoder)),
      prefix_(std::move(spec.prefix)),
      suffix_(std::move(spec.suffix)),
      bos_token_id_(spec.bos_token_id),
      eos_token_id_(spec.eos_token_id) {
    std::vector<AddedToken> text, normalized, prompt;
    for (const AddedToken& token : spec.added) {
        added_ids_.emplace(token.content, token.id);
        if (token.special) control_[index(token.id)] = true;
        (token.normalized ? normalized : text).push_back(token);
        if (token.special || !token.normalized) prompt.push_back(token);
        if (!token.normalized) continue;
        // Sought, and spelled, as the normaliser leaves it.
        normalized.back().content = normalizer_.normalize(token.content);
        pieces_[index(token.id)] = normalized.back().content;
    }
    in_text_ = AddedTokens(std::move(text));
    in_normalized_ = AddedTokens(std::move(normalized));
    in_prompt_ = AddedTokens(std::move(prompt));
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text,
                                          const EncodeOptions& options) const {
    const bool has_input = options.control == EncodeOptions::Control::outside_input;
    const CleanText clean(text, has_input ? options.input : std::span<const TextRange>());
    const bool anywhere = options.control != EncodeOptions::Control::nowhere;
    Run run;
    run.control.allowed = anywhere && !has_input;
    if (options.add_special) run.ids = prefix_;
    const AddedTokens& added = has_input ? in_prompt_ : in_text_;
    for (const Segment& segment : added.split(clean.text, {anywhere, clean.input})) {
        if (segment.id >= 0)
            run.ids.push_back(segment.id);
        else
            encode_text(sub(clean.text, segment.range), segment.range.first == 0, run);
    }
    if (options.add_special) run.ids.insert(run.ids.end(), suffix_.begin(), suffix_.end());
    return std::move(run.ids);
}

void BpeTokenizer::encode_text(std::string_view text, bool begins_input, Run& run) const {
    const std::string normalized = normalizer_.normalize(text);
    for (const Segment& segment : in_normalized_.split(normalized, run.control)) {
        if (segment.id >= 0)
            run.ids.push_back(segment.id);
        else
            encode_pieces(std::string(sub(normalized, segment.range)),
                          begins_input && segment.range.first == 0, run);
    }
}

void BpeTokenizer::encode_pieces(std::string text, bool begins_input, Run& run) const {
    const PieceList list = pre_tokenizer_.split(std::move(text), begins_input);
    for (const TextRange piece : list.pieces)
        model_.encode(sub(list.text, piece), run.workspace, run.ids);
}

std::string BpeTokenizer::token_bytes(int32_t id, bool show_control) const {
    if (!known(id) || (control_[index(id)] && !show_control)) return {};
    return decoder_.token_bytes(pieces_[index(id)]);
}

std::string BpeTokenizer::decode(std::span<const int32_t> ids, bool show_control) const {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const int32_t id : ids)
        if (known(id) && (show_control || !control_[index(id)]))
            tokens.push_back(pieces_[index(id)]);
    return decoder_.decode(std::move(tokens));
}

std::string_view BpeTokenizer::piece(int32_t id) const {
    return known(id) ? std::string_view(pieces_[index(id)]) : std::string_view();
}

std::optional<int32_t> BpeTokenizer::token_id(std::string_view piece) const {
    const auto added = added_ids_.find(std::string(piece));
    return added != added_ids_.end() ? added->second : model_.token_id(piece);
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> make_bpe_tokenizer(BpeSpec spec) {
    LOCKSTEP_ASSIGN(BpeModel model, BpeModel::make(spec.vocabulary));
    return std::make_unique<const BpeTokenizer>(std::move(spec), std::move(model));
}

}  // namespace lockstep
