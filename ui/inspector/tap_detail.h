// SPDX-License-Identifier: GPL-3.0-or-later
// One tap of a reopened step, looked at as closely as the panel shows it. Plain values, no Qt; made
// off the GUI thread, for it may read millions of elements.
#pragma once

#include <optional>
#include <string>

#include "core/inspect/drill_down.h"

namespace lockstep {

struct TapDetail {
    std::string tensor;
    int64_t first_token = 0;  // position of the tap's row 0 in the conversation
    DrillDown figures;

    int64_t head_width() const { return figures.layout.columns / figures.layout.heads; }
};

// None where the step has no such tap in candidate, reference and truth alike.
std::optional<TapDetail> tap_detail(const StepCase& step, const std::string& tensor);

}  // namespace lockstep
