// SPDX-License-Identifier: GPL-3.0-or-later
// Byte pair encoding proper: a vocabulary, its merges, and how a piece becomes ids. Time is
// O(n log n) in a piece's length.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/status.h"

namespace lockstep {

// GPT-2's alphabet: each byte as a printable character ("Ġ" for the space).
const std::array<std::string, 256>& byte_alphabet();
// The bytes that a byte-level token stands for; the token itself where it has other characters, as
// added tokens may.
std::string bytes_of_byte_level(std::string_view token);

struct BpeVocabulary {
    std::vector<std::pair<std::string, int32_t>> tokens;      // piece and id, each once
    std::vector<std::pair<std::string, std::string>> merges;  // in order of their rank
    std::optional<std::string> unknown_token;  // for what has no token; without it, that is dropped
    bool fuse_unknown = false;                 // a run of unknowns is one
    bool byte_fallback = false;                // <0x41> for the bytes of what has no token
    bool ignore_merges = false;  // a piece that is a token is that token, mergeable or not
    bool byte_level = true;      // pieces are bytes (spelled in byte_alphabet), else code points
};

class BpeModel {
  public:
    // The error names the merge or token that is wrong.
    static Result<BpeModel> make(const BpeVocabulary& vocabulary);

    std::optional<int32_t> token_id(std::string_view token) const;
    // Appends a piece's ids. `piece` is valid UTF-8 unless the model is byte-level.
    // `Workspace` saves allocations between the pieces of one text.
    struct Workspace;
    void encode(std::string_view piece, Workspace& workspace, std::vector<int32_t>& ids) const;

    struct Workspace {
        struct Symbol {
            int32_t id;
            uint32_t previous, next;  // positions in the piece's symbols
            uint32_t rank;            // of the merge with the next symbol
        };
        std::vector<Symbol> symbols;
        std::vector<uint64_t> queue;  // rank << 32 | position, the smallest first
    };

  private:
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>()(text);
        }
    };
    using Ids = std::unordered_map<std::string, int32_t, Hash, std::equal_to<>>;
    // An open-addressed table from a pair of ids to its rank.
    struct PairRank {
        uint64_t pair = empty_pair;
        uint32_t rank = 0;
    };
    static constexpr uint64_t empty_pair = ~uint64_t{0};

    struct Unknowns;
    Status add_merges(const std::vector<std::pair<std::string, std::string>>& merges);
    void insert(uint64_t pair, uint32_t rank);
    uint32_t rank_of(int32_t left, int32_t right) const;
    void add_symbol(std::string_view character, Unknowns& unknowns, Workspace& workspace) const;
    bool add_fallback(std::string_view character, Workspace& workspace) const;
    void split(std::string_view piece, Workspace& workspace) const;
    void merge(Workspace& workspace) const;
    void merge_short(Workspace& workspace) const;
    void update_rank(uint32_t position, Workspace& workspace) const;

    Ids ids_;
    Ids whole_pieces_;                         // with ignore_merges: by the bytes that a piece has
    std::array<int32_t, 256> byte_ids_{};      // byte-level: the byte's own token, or -1
    std::array<int32_t, 256> fallback_ids_{};  // <0xXX>, or -1
    std::vector<PairRank> pairs_;              // size a power of two, at most half full
    std::vector<int32_t> merged_ids_;          // by rank
    int32_t unknown_id_ = -1;
    bool fuse_unknown_ = false;
    bool byte_fallback_ = false;
    bool ignore_merges_ = false;
    bool byte_level_ = true;
};

}  // namespace lockstep
