// SPDX-License-Identifier: GPL-3.0-or-later
// What sentencepiece 0.1.97 takes for granted: each rule here is a crash, an endless loop or a read
// out of bounds there.
#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "core/base/utf8.h"
#include "core/text/sentencepiece_model.h"
#include "core/text/token_decoder.h"

namespace lockstep {
namespace {

using Model = SentencePieceModel;

constexpr size_t max_pieces = size_t{1} << 24;
constexpr size_t max_piece_bytes = 1024;
// Fixed buffers of the library: matches of user-defined pieces, and of the charsmap, at one place.
constexpr size_t max_nested_user_defined = 64;
constexpr size_t max_nested_charsmap = 32;
constexpr size_t max_charsmap_bytes = 8 << 20;  // real ones have a quarter of a megabyte

tl::unexpected<Error> wrong(const std::string& what) {
    return fail(ErrorKind::invalid_file, what);
}

tl::unexpected<Error> wrong_piece(size_t index, const std::string& what) {
    return wrong("pieces[" + std::to_string(index) + "] " + what);
}

Status check_piece(const Model::Piece& piece, size_t index) {
    if (piece.text.empty()) return wrong_piece(index, "is empty");
    if (piece.text.size() > max_piece_bytes)
        return wrong_piece(index, "is longer than " + std::to_string(max_piece_bytes) + " bytes");
    if (piece.text.find('\0') != std::string::npos) return wrong_piece(index, "holds a NUL");
    if (!is_valid_utf8(piece.text)) return wrong_piece(index, "is not UTF-8");
    if (!std::isfinite(piece.score)) return wrong_piece(index, "has a score that is no number");
    if (piece.type < TokenType::normal || piece.type > TokenType::byte)
        return wrong_piece(index, "has the type " + std::to_string(static_cast<int>(piece.type)));
    if (piece.type == TokenType::byte && byte_of_fallback(piece.text) < 0)
        return wrong_piece(index, "\"" + piece.text + "\" is of type byte, but names none");
    return {};
}

Status check_bytes(const Model& model) {
    std::bitset<256> bytes;
    for (const Model::Piece& piece : model.pieces)
        if (piece.type == TokenType::byte)
            bytes.set(static_cast<size_t>(byte_of_fallback(piece.text)));
    if (model.byte_fallback && !bytes.all())
        return wrong("byte_fallback is set, but only " + std::to_string(bytes.count()) +
                     " of the 256 byte pieces are there");
    if (!model.byte_fallback && bytes.any())
        return wrong("byte pieces are there, but byte_fallback is not set");
    return {};
}

Status check_unique(const Model& model) {
    std::unordered_map<std::string_view, size_t> seen;
    seen.reserve(model.pieces.size());
    for (size_t i = 0; i < model.pieces.size(); ++i) {
        const auto [first, is_new] = seen.emplace(model.pieces[i].text, i);
        if (!is_new)
            return wrong_piece(i, "\"" + model.pieces[i].text + "\" is pieces[" +
                                      std::to_string(first->second) + "] again");
    }
    return {};
}

// How many pieces can begin at one place of a text, each a beginning of the next.
size_t deepest_nesting(std::vector<std::string_view> pieces) {
    std::sort(pieces.begin(), pieces.end());
    std::vector<std::string_view> open;
    size_t deepest = 0;
    for (const std::string_view piece : pieces) {
        while (!open.empty() && !piece.starts_with(open.back())) open.pop_back();
        open.push_back(piece);
        deepest = std::max(deepest, open.size());
    }
    return deepest;
}

Status check_counts(const Model& model) {
    const auto count = [&](TokenType type) {
        return std::count_if(model.pieces.begin(), model.pieces.end(),
                             [type](const Model::Piece& piece) { return piece.type == type; });
    };
    const auto unknown = count(TokenType::unknown);
    if (unknown != 1)
        return wrong("there must be one piece of type unknown; there are " +
                     std::to_string(unknown));
    if (count(TokenType::normal) == 0) return wrong("there is no piece of type normal");
    std::vector<std::string_view> user_defined;
    for (const Model::Piece& piece : model.pieces)
        if (piece.type == TokenType::user_defined) user_defined.push_back(piece.text);
    if (deepest_nesting(std::move(user_defined)) > max_nested_user_defined)
        return wrong("more than " + std::to_string(max_nested_user_defined) +
                     " user-defined pieces begin alike");
    return {};
}

// The trie of a charsmap (Darts-clone's layout): each unit holds a label, the offset of its
// children, and whether a value is among them. Endings are shared, so that it is really a graph.
class Trie {
  public:
    Trie(std::string_view bytes, size_t replacements) : replacements_(replacements) {
        units_.resize(bytes.size() / sizeof(uint32_t));
        if (!units_.empty())
            std::memcpy(units_.data(), bytes.data(), units_.size() * sizeof(uint32_t));
        states_.resize(units_.size());
    }

    // Walks over all that can be reached, depth first: it must stay inside, have no cycles, and not
    // more values on any way than the library has room for.
    Status check() {
        if (units_.empty()) return wrong("precompiled_charsmap: the trie is empty");
        LOCKSTEP_TRY(enter(0));
        while (!path_.empty()) {
            if (path_.back().next_byte > 0xff)
                leave();
            else
                LOCKSTEP_TRY(follow(path_.back()));
        }
        if (states_[0].values > max_nested_charsmap)
            return wrong("precompiled_charsmap: too many sequences begin alike");
        return {};
    }

  private:
    struct State {
        enum : uint8_t { unseen, open, done } progress = unseen;
        uint32_t values = 0;  // at most, from here on
    };
    struct Step {
        size_t unit = 0, base = 0;
        uint32_t next_byte = 0;
    };
    static size_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }
    static bool has_value(uint32_t unit) { return (unit >> 8 & 1) != 0; }
    static uint32_t label_of(uint32_t unit) { return unit & 0x800000ffu; }

    Status enter(size_t unit) {
        const size_t base = unit ^ offset_of(units_[unit]);
        if ((base | 0xff) >= units_.size())
            return wrong("precompiled_charsmap: the trie leads out of itself");
        if (has_value(units_[unit]) && (units_[base] & 0x7fffffff) >= replacements_)
            return wrong("precompiled_charsmap: a replacement is not there");
        states_[unit].progress = State::open;
        path_.push_back({unit, base, 0});
        return {};
    }

    Status follow(Step& step) {
        const size_t child = step.base ^ step.next_byte;
        if (label_of(units_[child]) != step.next_byte++) return {};
        if (states_[child].progress == State::open)
            return wrong("precompiled_charsmap: the trie has a cycle");
        if (states_[child].progress == State::unseen) return enter(child);
        raise(step.unit, states_[child].values);
        return {};
    }

    void leave() {
        const size_t unit = path_.back().unit;
        path_.pop_back();
        states_[unit].values += has_value(units_[unit]) ? 1 : 0;
        states_[unit].progress = State::done;
        if (!path_.empty()) raise(path_.back().unit, states_[unit].values);
    }

    void raise(size_t unit, uint32_t values) {
        states_[unit].values = std::max(states_[unit].values, values);
    }

    std::vector<uint32_t> units_;
    std::vector<State> states_;
    std::vector<Step> path_;
    size_t replacements_;
};

}  // namespace

// Layout: the trie's size in bytes (32 bits), the trie, replacements that each end with a NUL.
Status check_charsmap(std::string_view charsmap) {
    if (charsmap.empty()) return {};
    uint32_t trie_bytes = 0;
    if (charsmap.size() <= sizeof trie_bytes || charsmap.size() > max_charsmap_bytes)
        return wrong("precompiled_charsmap is " + std::to_string(charsmap.size()) + " bytes long");
    std::memcpy(&trie_bytes, charsmap.data(), sizeof trie_bytes);
    charsmap.remove_prefix(sizeof trie_bytes);
    if (trie_bytes >= charsmap.size() || trie_bytes % sizeof(uint32_t) != 0)
        return wrong("precompiled_charsmap: the trie is said to have " +
                     std::to_string(trie_bytes) + " bytes of " + std::to_string(charsmap.size()));
    const std::string_view replacements = charsmap.substr(trie_bytes);
    if (replacements.back() != '\0')
        return wrong("precompiled_charsmap: the last replacement does not end");
    if (!is_valid_utf8(replacements))
        return wrong("precompiled_charsmap: a replacement is not UTF-8");
    return Trie(charsmap.substr(0, trie_bytes), replacements.size()).check();
}

Status check(const SentencePieceModel& model) {
    using Algorithm = SentencePieceModel::Algorithm;
    if (model.algorithm != Algorithm::unigram && model.algorithm != Algorithm::bpe)
        return fail(ErrorKind::unsupported,
                    "trainer_spec.model_type: only unigram and BPE models are supported");
    if (model.pieces.empty()) return wrong("there are no pieces");
    if (model.pieces.size() > max_pieces)
        return wrong("there are " + std::to_string(model.pieces.size()) + " pieces");
    for (size_t i = 0; i < model.pieces.size(); ++i) LOCKSTEP_TRY(check_piece(model.pieces[i], i));
    LOCKSTEP_TRY(check_unique(model));
    LOCKSTEP_TRY(check_counts(model));
    LOCKSTEP_TRY(check_bytes(model));
    for (const std::string* name :
         {&model.unk_piece, &model.bos_piece, &model.eos_piece, &model.unk_surface})
        if (!is_valid_utf8(*name)) return wrong("trainer_spec holds a name that is not UTF-8");
    LOCKSTEP_TRY(check_charsmap(model.charsmap));
    return check_charsmap(model.denormalizer_charsmap);
}

}  // namespace lockstep
