// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a candidate path computes the same model as a reference path, and where they first part.
//
// drift: each path feeds itself from the prompt on. local: each candidate step is given the
// reference's inputs and cache. noise floor: the reference against truth on those same inputs.
// The verdict of a tap is judge() (verdict.h) of local, nothing else.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/inspect/verdict.h"
#include "core/model/model.h"
#include "kernels/kernel_path.h"
#include "kernels/step_catalog.h"

namespace lockstep {

struct TapComparison {
    std::string tensor;        // the tap's name
    ErrorFigures drift;        // candidate against reference, each fed by itself
    ErrorFigures local;        // candidate against reference, same inputs
    ErrorFigures noise_floor;  // reference against truth, same inputs
    Verdict verdict;           // candidate and reference against truth, same inputs
    bool allclose_1e3 = true;  // every element of local within atol = rtol = 1e-3
};

struct StepComparison {
    StepId step = StepId::embed;
    std::vector<TapComparison> taps;       // what both paths put out
    std::vector<std::string> only_in_one;  // unfused taps that only one of them has
    ErrorFigures input_drift;              // of the step's inputs (worst), each path fed by itself
};

struct LayerComparison {
    int layer = -1;  // -1: embed; num_hidden_layers: logits
    std::vector<StepComparison> steps;
};

struct LogitsComparison {
    double max_error = 0;   // of drift, what a user gets
    double kl = 0;          // KL(reference || candidate), nats, mean over rows
    double top1_agree = 1;  // share of rows
    double top5_overlap = 1;
    bool allclose_1e3 = true;
};

struct Divergence {
    size_t prompt = 0;  // of the request
    int pass = 0;       // 0: prefill
    int layer = 0;
    StepId step = StepId::embed;
    std::string tensor;
    int64_t position = 0;  // of the worst row in the conversation
};

// One pass (the prefill, or one decode step) of one prompt.
struct PassComparison {
    size_t prompt = 0;
    int pass = 0;
    int64_t first_row = 0, rows = 0;
    std::vector<LayerComparison> layers;  // embed, 0 .. L-1, logits
    LogitsComparison logits;
};

struct Comparison {
    std::string model, device, dtype, candidate, reference;
    std::vector<std::vector<int32_t>> prompts;  // token ids
    std::vector<PassComparison> passes;
    std::optional<Divergence> first;  // the first local divergence in execution order
    bool input_identical = true;      // of the first divergence: was its input the same in drift?
    // Nothing is locally wrong, but drift is far above what the floor adds up to.
    bool drift_unexplained = false;
    double seconds = 0;
    bool diverged() const { return first.has_value(); }
};

struct CompareProgress {
    std::string what;
    double fraction = 0;
};

struct CompareRequest {
    std::shared_ptr<const Model> model;
    Device* device = nullptr;  // null: the CPU
    int threads = 0;
    std::vector<std::vector<int32_t>> prompts;
    int decode_steps = 0;  // with the reference's tokens forced
    KernelPath candidate, reference, truth;
    std::function<bool(const CompareProgress&)> progress;  // false cancels
};

// Streams: at no time are all taps of all paths in memory.
Result<Comparison> compare_paths(const CompareRequest& request);

// The step of a divergence, with the reference's inputs, kept for drill-down and diagnosis: what
// the candidate, the reference and truth put out from them.
struct StepCase {
    Divergence where;
    SampleStep inputs;  // the reference's inputs, in the activation dtype; outputs unset
    std::vector<std::pair<std::string, SampleStep>> outputs;  // "candidate", "reference", "truth"
};
// Runs the request's prompt again up to `where` and keeps that step.
Result<StepCase> reopen_step(const CompareRequest& request, const Divergence& where);

}  // namespace lockstep
