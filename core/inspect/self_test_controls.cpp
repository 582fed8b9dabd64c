// SPDX-License-Identifier: GPL-3.0-or-later
// Honest paths, which the inspector must leave in peace: other weights, prompts, lengths, thread
// counts and dtypes.
#include <algorithm>
#include <iterator>

#include "core/base/random.h"
#include "core/inspect/report.h"
#include "core/inspect/self_test_tasks.h"

namespace lockstep {
namespace {

constexpr std::string_view english =
    "Two people who measure the same field with the same chain will not find the same length. The "
    "first walks along the hedge, the second beside the ditch; one counts the links aloud, the "
    "other trusts his eye. When their figures differ by a hand's breadth nobody quarrels, for that "
    "is what a chain costs. When they differ by a furlong, one of them has left out a row, or has "
    "begun at the wrong post, or holds a chain with a link missing, and it is worth the walk to "
    "find out which. So they agree beforehand on how much a chain may err, write it down before "
    "the first peg is driven, and only then begin to measure. What is larger than that has a "
    "cause, and a cause has a place: a gate, a corner, a stretch of 1,200 paces that someone "
    "counted twice. They start at the first post and compare, stake by stake, until the two "
    "figures part. There they stop; what lies behind it is wrong because of it, and tells nothing.";

constexpr size_t control_lengths[] = {1, 2, 3, 5, 8, 13, 17, 31, 33, 64, 67, 100};

// One model of one dtype and seed: its prompts, each on one and on two threads; on a GPU, which has
// no such choice, another prompt the second time.
struct Control {
    const SelfTestSubject* subject;
    DType dtype;
    uint64_t seed;
};
constexpr int comparisons_per_control = 2 * static_cast<int>(std::size(control_lengths));

Status run_control(const Control& control, const KernelPath& candidate, SelfTestControls& result) {
    CompareRequest compare;
    LOCKSTEP_ASSIGN(compare.model, control.subject->load(control.dtype, 100 + control.seed));
    compare.candidate = candidate;
    compare.reference = *find_kernel_path(candidate.device, "reference");
    compare.floor = compare.reference;
    compare.truth = *find_kernel_path(candidate.device, "truth");
    compare.decode_steps = 2;
    const bool cpu = candidate.device == DeviceKind::cpu;
    for (size_t i = 0; i < std::size(control_lengths); ++i) {
        for (const int threads : {1, 2}) {
            const uint64_t number =
                control.seed * std::size(control_lengths) + i + (cpu || threads == 1 ? 0 : 10'000);
            compare.prompts = {self_test_prompt(*compare.model, control_lengths[i], number)};
            compare.threads = threads;
            LOCKSTEP_ASSIGN(const Comparison comparison, compare_paths(compare));
            ++result.comparisons;
            if (!comparison.diverged() && !comparison.drift_unexplained) continue;
            result.alarms.push_back(
                {control.subject->name + " " + std::string(dtype_info(control.dtype).name) +
                     ", seed " + std::to_string(control.seed) + ", prompt " +
                     std::to_string(number) + " of " + std::to_string(control_lengths[i]) +
                     " tokens" + (cpu ? ", threads " + std::to_string(threads) : ""),
                 comparison_sentence(comparison)});
        }
    }
    return {};
}

// At least so many comparisons. A file's model has one set of weights and is taken once in each
// dtype, in the first round; random ones make up the number.
std::vector<Control> list_controls(const SelfTestRequest& request) {
    std::vector<Control> list;
    const auto wanted = static_cast<size_t>((request.controls + comparisons_per_control - 1) /
                                            comparisons_per_control);
    for (uint64_t seed = 1; list.size() < wanted; ++seed) {
        const size_t before = list.size();
        for (const SelfTestSubject& subject : request.subjects) {
            if (!subject.random && seed > 1) continue;
            for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
                if (list.size() < wanted) list.push_back({&subject, dtype, seed});
            }
        }
        if (list.size() == before) break;  // files alone
    }
    return list;
}

}  // namespace

std::vector<int32_t> self_test_prompt(const Model& model, size_t count, uint64_t number) {
    std::vector<int32_t> ids;
    if (model.tokenizer) {
        const size_t first = english.find(' ', number * 37 % 500) + 1;
        std::string text(english.substr(first));
        while (text.size() < 8 * count) text += english;
        ids = model.tokenizer->encode(text, {});
    }
    Random random(1000 + number);
    const auto vocab_size = static_cast<uint64_t>(model.config.vocab_size);
    while (ids.size() < count) ids.push_back(static_cast<int32_t>(random.next() % vocab_size));
    ids.resize(count);
    return ids;
}

Result<SelfTestControls> run_controls(const SelfTestRequest& request) {
    const std::vector<Control> list = list_controls(request);
    std::vector<SelfTestControls> results(list.size());
    std::vector<SelfTestTask> tasks;
    for (size_t i = 0; i < list.size(); ++i) {
        tasks.push_back({"clean control, " + list[i].subject->name,
                         [&, i] { return run_control(list[i], request.candidate, results[i]); }});
    }
    LOCKSTEP_TRY(run_shared(request, tasks));
    SelfTestControls all;
    for (SelfTestControls& each : results) {
        all.comparisons += each.comparisons;
        std::move(each.alarms.begin(), each.alarms.end(), std::back_inserter(all.alarms));
    }
    return all;
}

}  // namespace lockstep
