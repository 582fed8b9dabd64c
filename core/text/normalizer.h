// SPDX-License-Identifier: GPL-3.0-or-later
// What happens to a text before it is cut up (tokenizer.json's "normalizer").
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/text/regex.h"

namespace lockstep {

// NFC, NFD, NFKC, NFKD as tokenizers has them: it knows Unicode 9, so that characters which came
// later stay as they are.
struct UnicodeFormStep {
    bool compose = true;
    bool compatibility = false;
};
struct PrependStep {  // to every text that is not empty
    std::string prefix;
};
struct ReplaceStep {
    Regex pattern;
    std::string content;
};
using NormalizerStep = std::variant<UnicodeFormStep, PrependStep, ReplaceStep>;

class Normalizer {
  public:
    Normalizer() = default;  // leaves a text as it is
    explicit Normalizer(std::vector<NormalizerStep> steps) : steps_(std::move(steps)) {}

    bool empty() const { return steps_.empty(); }
    // `text` is valid UTF-8.
    std::string normalize(std::string_view text) const;

  private:
    std::vector<NormalizerStep> steps_;
};

}  // namespace lockstep
