// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a candidate path computes the same model as a reference path, and where they first part.
//
// drift: each path feeds itself from the prompt on. local: each candidate step is given the
// reference's inputs and cache. noise floor: what the dtype costs the reference, against truth, on
// those same inputs. The verdict of a tap is judge() (verdict.h) of local, nothing else.
//
// It streams: the candidate's own pass is recorded, then the reference's pass is observed step by
// step, and each step is run again as candidate and as truth on what the reference was given.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/inspect/logits_comparison.h"
#include "core/inspect/planted_fault.h"
#include "core/inspect/step_runs.h"
#include "core/inspect/verdict.h"
#include "core/model/model.h"
#include "kernels/kernel_path.h"
#include "kernels/step_catalog.h"

namespace lockstep {

class Trace;

struct TapComparison {
    std::string tensor;        // the tap's name
    ErrorFigures drift;        // candidate against reference, each fed by itself
    ErrorFigures local;        // candidate against reference, same inputs
    ErrorFigures noise_floor;  // reference against truth, same inputs
    Verdict verdict;           // candidate and reference against truth, same inputs
    bool allclose_1e3 = true;  // every element of local within atol = rtol = 1e-3
    int64_t position = 0;      // in the conversation, of the row with the largest error
};

// What a step was given in either path, each having fed itself up to there: the same bits, the same
// but for what honest roundings add up to on the way, or something else.
enum class InputState { identical, rounded, drifted };
std::string_view input_state_name(InputState state);  // "identical", ...

struct StepComparison {
    StepId step = StepId::embed;
    std::vector<TapComparison> taps;       // what both paths put out
    std::vector<std::string> only_in_one;  // unfused taps that only one of them has
    ErrorFigures input_drift;              // of the step's inputs (worst), each path fed by itself
    InputState input = InputState::identical;
    // Inputs that a trace lacks: the step is judged together with those that made them.
    std::vector<std::string> computed_inputs;
};

struct LayerComparison {
    int layer = -1;  // -1: embed; num_hidden_layers: logits
    std::vector<StepComparison> steps;
};

struct Divergence {
    size_t prompt = 0;  // of the request
    int pass = 0;       // 0: prefill
    int layer = 0;
    StepId step = StepId::embed;
    std::string tensor;
    int64_t position = 0;  // of the worst row in the conversation
};

// One forward pass: a prefill (or a batch of it, where it does not fit one), or one decode step.
struct PassComparison {
    size_t prompt = 0;  // of the request
    int pass = 0;       // 0: the prefill; n: the n-th decode step
    int64_t first_row = 0, rows = 0;
    std::vector<LayerComparison> layers;  // embed, 0 .. L-1, logits
    LogitsComparison logits;              // of drift: what a user gets
    bool diverged() const;                // some tap of it
};

struct Comparison {
    std::string model, device, dtype, candidate, reference;
    std::vector<std::vector<int32_t>> prompts;  // token ids
    std::vector<PassComparison> passes;
    std::optional<Divergence> first;  // the first local divergence in execution order
    // Of the first divergence: its input in drift, and by how much it differs.
    InputState input = InputState::identical;
    ErrorFigures input_drift;
    // Nothing is locally wrong, but at the logits the candidate, fed by itself, is further from
    // truth than honest rounding carries a path on this prompt (drift.h): not rounding, but state
    // (a cache row, a position). Of a trace, where it has logits.
    bool drift_unexplained = false;
    // Of a candidate with a planted fault (CompareRequest::plant). Empty also where the comparison
    // ended before its step.
    std::optional<PlantedFault> planted;
    // Of a trace: what it lacks and could not be judged, in words ("attn of layers 0-29, passes
    // 0-4").
    std::vector<std::string> missing;
    double seconds = 0;
    bool diverged() const { return first.has_value(); }
};

struct CompareProgress {
    std::string what;
    double fraction = 0;
};

struct CompareRequest {
    std::shared_ptr<const Model> model;
    int threads = 0;
    std::vector<std::vector<int32_t>> prompts;
    int decode_steps = 0;  // with the reference's tokens forced
    KernelPath candidate, reference, truth;
    // Where the candidate has a fault on purpose: says what became of it (Comparison::planted).
    std::optional<Plant> plant;
    // The candidate, where it was captured elsewhere; `candidate` then only has a name. Its steps
    // can't be run on the reference's inputs, so local is measured the other way round: reference
    // and truth are given the trace's own inputs. `prompts` is empty, or the trace's prompt alone;
    // decode_steps of 0 takes every pass of the trace.
    std::shared_ptr<const Trace> trace;
    // Whose error against truth is the noise floor: the reference, but where that is truth itself.
    KernelPath floor;
    // Ends with the first divergence: the passes hold nothing of what comes after it.
    bool first_only = false;
    std::function<bool(const CompareProgress&)> progress;  // false cancels
    const std::atomic<bool>* cancel = nullptr;             // polled before every step of every path
};

struct StepCase;
// first_step, where it is wanted: the step of Comparison::first as it was run there. Unlike one
// that is opened again later it shows what a path that remembers (its last output, a counter) did
// then.
Result<Comparison> compare_paths(const CompareRequest& request,
                                 std::optional<StepCase>* first_step = nullptr);

// The inputs' state from their drift: `steps` honest steps of the dtype came before. Their
// roundings add up like a random walk; some eight times that are allowed for what a layer makes of
// them. Judged by the angle between the two, which no single large channel decides.
InputState input_state(const ErrorFigures& drift, DType dtype, int64_t steps);
// How many steps come before one: of a layer that is the embed's -1, 0 .. L-1 or the logits' L.
int64_t steps_before(int layer, StepId step);

// Sets `first`, `input` and `input_drift` from the passes.
void find_first_divergence(Comparison& comparison);

// Every layer once, with the worst of all passes and prompts: what a plot over layers shows.
std::vector<LayerComparison> worst_layers(const Comparison& comparison);

// The step of a divergence, run as candidate, as reference and as truth on what the reference was
// given there: what drill-down and diagnosis look at. All of its memory but the weights is its own.
struct StepCase {
    Divergence where;
    StepRuns runs;
};
// Runs the request's prompt again up to `where` and keeps that step.
Result<StepCase> reopen_step(const CompareRequest& request, const Divergence& where);

}  // namespace lockstep
