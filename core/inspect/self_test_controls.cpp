// SPDX-License-Identifier: GPL-3.0-or-later
// Honest paths, which the inspector must leave in peace: other weights, prompts, lengths, thread
// counts and dtypes.
#include <algorithm>

#include "core/base/random.h"
#include "core/inspect/report.h"
#include "core/inspect/self_test.h"
#include "core/inspect/self_test_prompts.h"

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

constexpr size_t lengths[] = {1, 2, 3, 5, 8, 13, 17, 31, 33, 64, 67, 100};
constexpr DType dtypes[] = {DType::bf16, DType::f16, DType::f32};

class Controls {
  public:
    explicit Controls(const SelfTestRequest& request) : request_(request) {}

    // One model's prompts on one and on two threads.
    Status run(const std::string& name, const std::shared_ptr<const Model>& model, size_t prompts,
               uint64_t number) {
        CompareRequest compare;
        compare.model = model;
        compare.candidate = request_.candidate;
        compare.reference = *find_kernel_path(request_.candidate.device, "reference");
        compare.floor = compare.reference;
        compare.truth = *find_kernel_path(request_.candidate.device, "truth");
        compare.decode_steps = 2;
        for (size_t i = 0; i < prompts; ++i) {
            const size_t length = lengths[(i + number) % std::size(lengths)];
            compare.prompts = {self_test_prompt(*model, length, number + i)};
            for (const int threads : {1, 2}) {
                compare.threads = threads;
                LOCKSTEP_ASSIGN(const Comparison comparison, compare_paths(compare));
                note(name + ", " + std::string(dtype_info(model->dtype).name) + ", " +
                         std::to_string(length) + " tokens of prompt " +
                         std::to_string(number + i) + ", threads " + std::to_string(threads),
                     comparison);
            }
        }
        return {};
    }

    SelfTestControls& result() { return result_; }

  private:
    void note(const std::string& what, const Comparison& comparison) {
        ++result_.comparisons;
        if (comparison.diverged() || comparison.drift_unexplained)
            result_.alarms.push_back({what, comparison_sentence(comparison)});
    }

    const SelfTestRequest& request_;
    SelfTestControls result_;
};

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
    Controls controls(request);
    const auto enough = [&] { return controls.result().comparisons >= request.controls; };
    const auto tell = [&](const std::string& what) {
        const double fraction = static_cast<double>(controls.result().comparisons) /
                                static_cast<double>(std::max(1, request.controls));
        return !request.progress || request.progress({"clean control: " + what, fraction});
    };
    // A file's model has one set of weights: each dtype once. Random ones make up the number.
    for (uint64_t seed = 1; !enough(); ++seed) {
        const int before = controls.result().comparisons;
        for (const SelfTestSubject& subject : request.subjects) {
            if (!subject.random && seed > 1) continue;
            for (const DType dtype : dtypes) {
                if (enough()) break;
                LOCKSTEP_ASSIGN(const auto model, subject.load(dtype, 100 + seed));
                const std::string name =
                    subject.name + (subject.random ? " of seed " + std::to_string(seed) : "");
                if (!tell(name)) return fail(ErrorKind::cancelled, "the self-test was stopped");
                LOCKSTEP_TRY(controls.run(name, model, std::size(lengths), seed));
            }
        }
        if (controls.result().comparisons == before) break;  // only files, and they are done
    }
    return controls.result();
}

}  // namespace lockstep
