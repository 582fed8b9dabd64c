// SPDX-License-Identifier: GPL-3.0-or-later
// Follows a planted fault through a comparison: where its step is not seen to diverge, truth is run
// with the fault in it, on the same inputs. Internal to compare_paths().
#pragma once

#include <optional>

#include "core/inspect/comparison.h"

namespace lockstep {

class PlantWatch {
  public:
    explicit PlantWatch(const CompareRequest& request);

    // After each step that was compared: `runs` are those that `step` was judged by, and are as
    // they were when it returns.
    Status after_step(int layer, const StepComparison& step, StepRuns& runs, Stream& stream);
    // Empty where nothing was planted, or its step was not reached.
    const std::optional<PlantedFault>& outcome() const { return outcome_; }

  private:
    Status weigh(StepRuns& runs, Stream& stream);
    Status judge_truth(StepRuns& runs, Stream& stream);

    const CompareRequest& request_;
    StepId step_ = StepId::embed;  // the fault's
    std::optional<PlantedFault> outcome_;
};

}  // namespace lockstep
