// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/tap_detail.h"

namespace lockstep {
namespace {

// Cells of about a pixel or two in a wide panel; a list that can still be read.
constexpr DrillDownLimits limits{160, 480, 100};

}  // namespace

std::optional<TapDetail> tap_detail(const StepCase& step, const std::string& tensor) {
    std::optional<DrillDown> figures = drill_down(step.runs, tensor, limits);
    if (!figures) return std::nullopt;
    return TapDetail{tensor, step_context(step.runs.reference.args).first_row, std::move(*figures)};
}

}  // namespace lockstep
