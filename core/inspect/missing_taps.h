// SPDX-License-Identifier: GPL-3.0-or-later
// What a trace lacks, folded into a few words: "attn of layers 0-29 in passes 0-4".
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/step_catalog.h"

namespace lockstep {

class MissingTaps {
  public:
    void add(int pass, int layer, StepId step, std::string_view tap);
    std::vector<std::string> words() const;

  private:
    struct Tap {
        StepId step;
        std::string name;
        auto operator<=>(const Tap&) const = default;  // NOLINT(modernize-use-nullptr)
    };
    std::map<Tap, std::map<int, std::set<int>>> layers_;  // of each pass
};

}  // namespace lockstep
