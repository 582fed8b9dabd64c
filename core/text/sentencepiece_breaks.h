// SPDX-License-Identifier: GPL-3.0-or-later
// Where a text may be cut before sentencepiece encodes it, with nothing changed by it: between two
// characters that stand side by side in no piece, no merge can join them. The library works through
// one long text more slowly than through the same in parts.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/text/sentencepiece_model.h"
#include "core/text/text_range.h"

namespace lockstep {

class SentencePieceBreaks {
  public:
    explicit SentencePieceBreaks(const SentencePieceModel& model);

    // The parts of a text, in order and without gaps; a short text is one.
    std::vector<TextRange> split(std::string_view text) const;

  private:
    // False for models whose normaliser looks across characters, and for unigram models, where sums
    // over the whole text decide.
    bool possible_ = false;
    std::unordered_set<uint64_t> pairs_;
};

}  // namespace lockstep
