// SPDX-License-Identifier: GPL-3.0-or-later
// The steps of a trace as the reference and truth compute them from the trace's own inputs: local
// error, the other way round. Wherever they run, all that is here lies in the host's memory, but
// for weights and constants. Internal to the comparison of traces.
//
// What a trace lacks of a step's inputs is taken from the step before, each path's own: then it is
// the way from the last tensor that the trace has which is judged, and the floor is that way's.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/inspect/comparison.h"
#include "core/inspect/step_runs.h"
#include "core/inspect/trace.h"

namespace lockstep {

class TraceSteps {
  public:
    TraceSteps(const CompareRequest& request, const Trace& trace);

    // What follows are the steps of these rows, in the order of execution, none left out.
    void begin(int pass, int64_t first_row, int64_t rows);
    // own: the step as the reference runs it when it feeds itself; its weights, constants and sizes
    // are taken, none of its activations. The candidate's outputs are the trace's; those that the
    // trace lacks are the reference's, so that they are no error of anybody.
    Result<StepRuns> run(const StepArgs& own, Stream& stream);
    // Inputs of the last step that the trace lacks.
    const std::vector<std::string>& computed_inputs() const { return computed_; }

    // Of a tap of the step that ran last, rows as they are in `own`. Undefined where the trace has
    // none.
    Result<Tensor> stored(int layer, StepId step, std::string_view tap, int64_t rows,
                          Buffer& buffer) const;

  private:
    // One of the two paths that the trace is held against, and what it made of the trace so far.
    struct Side {
        const KernelPath* path = nullptr;
        DType dtype = DType::f32;  // of its activations
        struct Cache {
            Buffer k_memory, v_memory;
            Tensor k, v;  // [C, G, D]
        };
        std::vector<Cache> caches;  // per layer
        // Of each step's latest call the output, where the trace has none.
        struct Made {
            Buffer memory;
            Tensor tensor;
        };
        std::array<Made, step_count> made;
    };

    Result<SampleStep> run_side(Side& side, StepArgs args, Stream& stream);
    Status give_inputs(Side& side, StepArgs& args, std::vector<Buffer>& memory);
    Result<Tensor> input(Side& side, std::string_view name, const StepArgs& args,
                         std::vector<Buffer>& memory);
    Status keep_cache_rows(Side& side, const QkvArgs& ran);
    Status keep_output(Side& side, const StepArgs& ran);
    Status make_cache(Side& side, const QkvArgs& args);
    Result<SampleStep> candidate(const StepArgs& inputs, const SampleStep& reference);

    const CompareRequest& request_;
    const Trace& trace_;
    Side floor_, truth_;
    int pass_ = 0;
    int64_t first_row_ = 0, rows_ = 0;
    std::vector<std::string> computed_;
};

}  // namespace lockstep
