// SPDX-License-Identifier: GPL-3.0-or-later
// The texts that tokenizers are compared on, made from a number: the same that
// tests/golden/tokenizer/golden_texts.py makes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

// Bytes, not always UTF-8. `specials`: tokens of the vocabulary that texts are sprinkled with.
std::string golden_text(uint64_t seed, const std::vector<std::string>& specials);

}  // namespace lockstep
