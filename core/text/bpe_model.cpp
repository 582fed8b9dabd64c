// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/bpe_model.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <limits>

#include "core/base/utf8.h"

namespace lockstep {
namespace {

constexpr uint32_t no_rank = std::numeric_limits<uint32_t>::max();
constexpr uint32_t no_symbol = std::numeric_limits<uint32_t>::max();
// Up to here, looking through all pairs for each merge beats a queue.
constexpr size_t short_piece = 24;

uint64_t pair_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

size_t slot_of(uint64_t pair, size_t slots) {
    return (pair * 0x9e3779b97f4a7c15u >> 20) & (slots - 1);
}

}  // namespace

const std::array<std::string, 256>& byte_alphabet() {
    static const std::array<std::string, 256> alphabet = [] {
        std::array<std::string, 256> letters;
        char32_t spare = 256;
        for (char32_t byte = 0; byte < 256; ++byte) {
            const bool printable =
                (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
            append_utf8(letters[byte], printable ? byte : spare++);
        }
        return letters;
    }();
    return alphabet;
}

std::string bytes_of_byte_level(std::string_view token) {
    static const std::unordered_map<std::string_view, char> bytes = [] {
        std::unordered_map<std::string_view, char> map;
        for (size_t byte = 0; byte < 256; ++byte)
            map.emplace(byte_alphabet()[byte], static_cast<char>(byte));
        return map;
    }();
    std::string result;
    for (size_t at = 0; at < token.size();) {
        const size_t length = code_point_at(token, at).length;
        const auto byte = bytes.find(token.substr(at, length));
        if (byte == bytes.end()) return std::string(token);
        result += byte->second;
        at += length;
    }
    return result;
}

Result<BpeModel> BpeModel::make(const BpeVocabulary& vocabulary) {
    BpeModel model;
    model.fuse_unknown_ = vocabulary.fuse_unknown;
    model.byte_fallback_ = vocabulary.byte_fallback;
    model.ignore_merges_ = vocabulary.ignore_merges;
    model.byte_level_ = vocabulary.byte_level;
    model.ids_.reserve(vocabulary.tokens.size());
    for (const auto& [token, id] : vocabulary.tokens) {
        const auto [known, is_new] = model.ids_.emplace(token, id);
        if (!is_new)
            return fail(ErrorKind::invalid_file,
                        "token \"" + token.substr(0, 100) + "\" has two ids, " +
                            std::to_string(known->second) + " and " + std::to_string(id));
        if (model.ignore_merges_)
            model.whole_pieces_.emplace(model.byte_level_ ? bytes_of_byte_level(token) : token, id);
    }
    if (vocabulary.unknown_token) {
        const auto unknown = model.token_id(*vocabulary.unknown_token);
        if (!unknown)
            return fail(ErrorKind::invalid_file,
                        "unk_token \"" + *vocabulary.unknown_token + "\" is not in the vocabulary");
        model.unknown_id_ = *unknown;
    }
    for (size_t byte = 0; byte < 256; ++byte) {
        std::array<char, 8> name{};
        std::snprintf(name.data(), name.size(), "<0x%02zX>", byte);
        model.fallback_ids_[byte] = model.token_id(name.data()).value_or(-1);
        model.byte_ids_[byte] = model.token_id(byte_alphabet()[byte]).value_or(-1);
    }
    LOCKSTEP_TRY(model.add_merges(vocabulary.merges));
    return model;
}

Status BpeModel::add_merges(const std::vector<std::pair<std::string, std::string>>& merges) {
    pairs_.assign(std::bit_ceil(2 * merges.size() + 2), PairRank());
    merged_ids_.reserve(merges.size());
    const auto id_of = [&](const std::string& token) -> Result<int32_t> {
        if (const auto id = token_id(token)) return *id;
        return fail(ErrorKind::invalid_file, "merge " + std::to_string(merged_ids_.size()) +
                                                 ": \"" + token.substr(0, 100) +
                                                 "\" is not in the vocabulary");
    };
    for (const auto& [left, right] : merges) {
        LOCKSTEP_ASSIGN(const int32_t left_id, id_of(left));
        LOCKSTEP_ASSIGN(const int32_t right_id, id_of(right));
        LOCKSTEP_ASSIGN(const int32_t merged_id, id_of(left + right));
        insert(pair_of(left_id, right_id), static_cast<uint32_t>(merged_ids_.size()));
        merged_ids_.push_back(merged_id);
    }
    return {};
}

// A pair that comes twice has the later rank, as in the reference implementation.
void BpeModel::insert(uint64_t pair, uint32_t rank) {
    size_t slot = slot_of(pair, pairs_.size());
    while (pairs_[slot].pair != empty_pair && pairs_[slot].pair != pair)
        slot = (slot + 1) & (pairs_.size() - 1);
    pairs_[slot] = {pair, rank};
}

uint32_t BpeModel::rank_of(int32_t left, int32_t right) const {
    const uint64_t pair = pair_of(left, right);
    size_t slot = slot_of(pair, pairs_.size());
    while (pairs_[slot].pair != pair) {
        if (pairs_[slot].pair == empty_pair) return no_rank;
        slot = (slot + 1) & (pairs_.size() - 1);
    }
    return pairs_[slot].rank;
}

std::optional<int32_t> BpeModel::token_id(std::string_view token) const {
    const auto found = ids_.find(token);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
}

// An unknown is held back until it is known whether the next character belongs to it.
struct BpeModel::Unknowns {
    bool pending = false;
};

void BpeModel::add_symbol(std::string_view character, Unknowns& unknowns,
                          Workspace& workspace) const {
    const auto push = [&workspace](int32_t id) {
        workspace.symbols.push_back({id, 0, 0, no_rank});
    };
    const int32_t id = byte_level_ ? byte_ids_[static_cast<uint8_t>(character.front())]
                                   : token_id(character).value_or(-1);
    if (id >= 0) {
        if (unknowns.pending) push(unknown_id_);
        unknowns.pending = false;
        push(id);
        return;
    }
    if (byte_fallback_ && add_fallback(character, workspace)) return;
    if (unknown_id_ < 0) return;
    if (unknowns.pending && !fuse_unknown_) push(unknown_id_);
    unknowns.pending = true;
}

bool BpeModel::add_fallback(std::string_view character, Workspace& workspace) const {
    const std::string_view spelled =
        byte_level_ ? byte_alphabet()[static_cast<uint8_t>(character.front())] : character;
    const auto id_of = [this](char byte) { return fallback_ids_[static_cast<uint8_t>(byte)]; };
    if (!std::all_of(spelled.begin(), spelled.end(), [&](char byte) { return id_of(byte) >= 0; }))
        return false;
    for (const char byte : spelled) workspace.symbols.push_back({id_of(byte), 0, 0, no_rank});
    return true;
}

void BpeModel::split(std::string_view piece, Workspace& workspace) const {
    workspace.symbols.clear();
    Unknowns unknowns;
    for (size_t at = 0; at < piece.size();) {
        const size_t length = byte_level_ ? 1 : code_point_at(piece, at).length;
        add_symbol(piece.substr(at, length), unknowns, workspace);
        at += length;
    }
    if (unknowns.pending) workspace.symbols.push_back({unknown_id_, 0, 0, no_rank});
}

void BpeModel::encode(std::string_view piece, Workspace& workspace,
                      std::vector<int32_t>& ids) const {
    if (ignore_merges_) {
        const auto whole = whole_pieces_.find(piece);
        if (whole != whole_pieces_.end()) {
            ids.push_back(whole->second);
            return;
        }
    }
    split(piece, workspace);
    auto& symbols = workspace.symbols;
    if (symbols.size() <= short_piece) {
        merge_short(workspace);
        for (const auto& symbol : symbols) ids.push_back(symbol.id);
    } else {
        merge(workspace);
        for (uint32_t at = 0; at != no_symbol; at = symbols[at].next) ids.push_back(symbols[at].id);
    }
}

void BpeModel::merge_short(Workspace& workspace) const {
    auto& symbols = workspace.symbols;
    for (size_t i = 0; i + 1 < symbols.size(); ++i)
        symbols[i].rank = rank_of(symbols[i].id, symbols[i + 1].id);
    const auto less = [](const auto& a, const auto& b) { return a.rank < b.rank; };
    while (symbols.size() > 1) {
        const auto best = std::min_element(symbols.begin(), symbols.end(), less);
        if (best->rank == no_rank) return;
        best->id = merged_ids_[best->rank];
        symbols.erase(best + 1);
        const bool last = best + 1 == symbols.end();
        best->rank = last ? no_rank : rank_of(best->id, (best + 1)->id);
        if (best != symbols.begin()) (best - 1)->rank = rank_of((best - 1)->id, best->id);
    }
}

// Queues the merge of the symbol at `position` with its next.
void BpeModel::update_rank(uint32_t position, Workspace& workspace) const {
    auto& symbol = workspace.symbols[position];
    const bool last = symbol.next == no_symbol;
    symbol.rank = last ? no_rank : rank_of(symbol.id, workspace.symbols[symbol.next].id);
    if (symbol.rank == no_rank) return;
    workspace.queue.push_back(static_cast<uint64_t>(symbol.rank) << 32 | position);
    std::push_heap(workspace.queue.begin(), workspace.queue.end(), std::greater<>());
}

void BpeModel::merge(Workspace& workspace) const {
    auto& [symbols, queue] = workspace;
    const auto count = static_cast<uint32_t>(symbols.size());
    queue.clear();
    for (uint32_t i = 0; i < count; ++i) {
        symbols[i].previous = i == 0 ? no_symbol : i - 1;
        symbols[i].next = i + 1 == count ? no_symbol : i + 1;
        if (i + 1 < count) symbols[i].rank = rank_of(symbols[i].id, symbols[i + 1].id);
        if (symbols[i].rank != no_rank)
            queue.push_back(static_cast<uint64_t>(symbols[i].rank) << 32 | i);
    }
    std::make_heap(queue.begin(), queue.end(), std::greater<>());
    while (!queue.empty()) {
        std::pop_heap(queue.begin(), queue.end(), std::greater<>());
        const auto position = static_cast<uint32_t>(queue.back());
        const auto rank = static_cast<uint32_t>(queue.back() >> 32);
        queue.pop_back();
        auto& symbol = symbols[position];
        if (symbol.rank != rank) continue;  // merged away, or with another by now
        auto& gone = symbols[symbol.next];
        symbol.id = merged_ids_[rank];
        symbol.next = gone.next;
        gone.rank = no_rank;
        if (symbol.next != no_symbol) symbols[symbol.next].previous = position;
        update_rank(position, workspace);
        if (symbol.previous != no_symbol) update_rank(symbol.previous, workspace);
    }
}

}  // namespace lockstep
