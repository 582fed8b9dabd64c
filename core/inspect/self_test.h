// SPDX-License-Identifier: GPL-3.0-or-later
// What the inspector is worth, measured: every fault of the catalogue planted in models, in prefill
// and in decode, in the first, a middle and the last layer. Is it found in its layer and step, is
// its cause named, and are honest paths left in peace?
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/inspect/fault.h"
#include "core/inspect/inspection.h"

namespace lockstep {

// A model that faults are planted in, on the device whose paths are tested.
struct SelfTestSubject {
    std::string name;
    // The same model in another dtype; `seed` is that of a random model's weights, a file has one.
    std::function<Result<std::shared_ptr<const Model>>(DType dtype, uint64_t seed)> load;
    bool random = false;
};
// "tiny-qwen2": random, bias, 7 heads to each key head; "tiny-llama": random, odd sizes. Both have
// a head of their own and rope_scaling or grouped heads, so that every fault can show in one.
std::vector<SelfTestSubject> tiny_subjects(Device& device = cpu_device());
SelfTestSubject file_subject(const std::filesystem::path& file, Device& device = cpu_device());

enum class SelfTestOutcome {
    found,        // the first divergence is the planted one
    wrong_place,  // there is one before, or after
    missed,       // called a match, though the fault's effect is over the noise floor
    under_floor,  // called a match, as it must be: truth with the fault in it is a match, too
    no_effect,    // truth with the fault in it is truth on these inputs
};
std::string_view outcome_name(SelfTestOutcome outcome);

struct SelfTestCell {
    std::string model;
    FaultSpec fault;
    StepId step = StepId::embed;
    bool decode = false;  // the fault acts in decode only
    SelfTestOutcome outcome = SelfTestOutcome::missed;
    std::optional<Divergence> first;
    // By the diagnosis, best first: several where they are indistinguishable. Empty: not diagnosed.
    std::vector<std::string> causes;
    std::string confidence;
    double explained = 0, next_best = 0;
    // Of truth with the fault in it, at its step, in units of the noise floor's maximum; only of
    // faults that were not found.
    double effect = 0;
    double seconds = 0;

    bool apart() const;        // under_floor or no_effect
    bool cause_right() const;  // the fault is among what is named
    bool cause_wrong() const;  // something is named with high confidence, and not the fault
};

struct SelfTestControls {
    int comparisons = 0;  // of an honest path, one prompt each
    struct Alarm {
        std::string what;  // model, dtype, seed, prompt, its length, threads
        std::string said;
    };
    std::vector<Alarm> alarms;  // called diverged, or drifting without an explanation
};

struct SelfTestResult {
    std::string candidate;
    std::vector<SelfTestCell> cells;
    SelfTestControls controls;
    double seconds = 0;
};

struct SelfTestTotals {
    int cells = 0, apart = 0;
    int found = 0, diagnosed = 0, cause_right = 0, cause_alone = 0, cause_wrong = 0;
    int judged() const { return cells - apart; }
    // The figures that are asked of the inspector: place always, cause in 95% of what was
    // diagnosed, at most 5% of the cells apart.
    bool good() const;
};
SelfTestTotals totals_of(const std::vector<SelfTestCell>& cells);

struct SelfTestRequest {
    std::vector<SelfTestSubject> subjects;
    KernelPath candidate;                 // that faults are planted in; of the subjects' device
    std::vector<std::string> faults;      // of the catalogue; empty: all
    std::vector<int> thirds = {0, 1, 2};  // first, middle and last layer
    int threads = 0;      // of the self-test: cells and controls at a time; 0: one per core
    int controls = 1000;  // at least so many comparisons; 0: none
    std::function<bool(const CompareProgress&)> progress;  // false cancels
    // Plants a fault. Another one than plant_fault() is how the self-test itself is tested.
    std::function<Result<KernelPath>(const KernelPath&, const FaultSpec&,
                                     const std::shared_ptr<const Model>&)>
        plant = plant_fault;
};
Result<SelfTestResult> run_self_test(const SelfTestRequest& request);

// Where the fault was found, from an inspection of the path that it was planted in.
SelfTestOutcome place_outcome(const SelfTestCell& cell, const Comparison& comparison);

// Honest paths only: core/inspect/self_test_controls.cpp.
Result<SelfTestControls> run_controls(const SelfTestRequest& request);

}  // namespace lockstep
