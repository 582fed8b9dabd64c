// SPDX-License-Identifier: GPL-3.0-or-later
// Watches the reference's forward pass and runs each of its steps again, as candidate and as truth,
// on what the reference was given. Internal to compare_paths().
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "core/inspect/comparison.h"
#include "core/inspect/plant_watch.h"
#include "core/inspect/probe.h"
#include "core/inspect/tap_comparison.h"

namespace lockstep {

// How far the inputs of a step have drifted apart by the time it runs, each path fed by itself.
class InputDrift {
  public:
    void note(int layer, std::string_view tap, const ErrorFigures& drift);
    // The worst of the step's inputs.
    ErrorFigures of(const StepArgs& args) const;

  private:
    void take(const std::string& name, ErrorFigures& worst) const;
    std::map<std::string, ErrorFigures> worst_;
};

class LocalObserver final : public StepObserver {
  public:
    // candidate: what the candidate put out when it fed itself. steps_in_all: for the progress.
    LocalObserver(const CompareRequest& request, const Probe& candidate, PlantWatch& plant,
                  size_t steps_in_all)
        : request_(request), candidate_(candidate), plant_(plant), steps_in_all_(steps_in_all) {}

    // The first step that diverges is kept there, where it is empty still.
    void keep_first(std::optional<StepCase>* step) { first_step_ = step; }

    // What follows is written to `pass`.
    void begin(PassComparison& pass);
    Status after_step(const StepArgs& args, bool unfused_outputs, Stream& stream) override;
    // The request wanted the first divergence only, and there it was: after_step() ended the pass.
    bool enough() const { return enough_; }

  private:
    TapComparison compare_tap(int layer, StepId step, const NamedTensor& own, const Tensor& drifted,
                              const TapTensors& local);
    Tensor candidate_rows(int layer, StepId step, const NamedTensor& own);

    const CompareRequest& request_;
    const Probe& candidate_;
    PlantWatch& plant_;
    size_t steps_in_all_;
    size_t steps_done_ = 0;
    std::optional<StepCase>* first_step_ = nullptr;
    PassComparison* pass_ = nullptr;
    int pass_number_ = -1;
    bool enough_ = false;
    std::map<std::tuple<int, StepId, std::string>, int64_t> rows_seen_;  // of each tap of this pass
    InputDrift drift_;
};

}  // namespace lockstep
