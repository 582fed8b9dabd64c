// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/self_test.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include "core/inspect/self_test_tasks.h"
#include "core/model/task_runner.h"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;

// 13 tokens are no multiple of a tile of rows or keys; in decode two tokens follow.
constexpr size_t prompt_tokens = 13;
constexpr int decode_steps = 2;
constexpr uint64_t weights_seed = 7;

// One fault in one place of one model.
struct Place {
    FaultSpec spec;
    StepId step;
    bool decode;
};

std::vector<int> layers_of(const FaultInfo& fault, int layers, const std::vector<int>& thirds) {
    if (fault.step == StepId::embed) return {-1};
    if (fault.step == StepId::logits) return {layers};
    const int of_third[] = {0, layers / 2, layers - 1};
    std::vector<int> chosen;
    for (const int third : thirds) {
        const int layer = of_third[third];
        if (std::find(chosen.begin(), chosen.end(), layer) == chosen.end()) chosen.push_back(layer);
    }
    return chosen;
}

std::vector<Place> places_in(const ModelConfig& config, const SelfTestRequest& request) {
    std::vector<Place> places;
    const auto layers = static_cast<int>(config.num_hidden_layers);
    for (const FaultInfo& fault : fault_catalog()) {
        const std::string name(fault.name);
        const auto& wanted = request.faults;
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end())
            continue;
        if (!fault_without_effect(fault, config).empty()) continue;
        for (const int layer : layers_of(fault, layers, request.thirds)) {
            for (const bool decode : {false, true})
                places.push_back({{name, layer}, fault.step, decode});
        }
    }
    return places;
}

// The step with its fault where a decode step calls it, without where the prompt does: a kernel of
// decode's own.
template <class Args>
void spare_prompt(KernelPath& wrong, const KernelPath& honest,
                  StepFunction<Args> KernelPath::*entry, int64_t prompt_rows) {
    wrong.*entry = [faulty = wrong.*entry, right = honest.*entry, prompt_rows](const Args& args,
                                                                               Stream& stream) {
        return args.context.first_row < prompt_rows ? right(args, stream) : faulty(args, stream);
    };
}

KernelPath in_decode_only(KernelPath wrong, const KernelPath& honest, int64_t prompt_rows) {
    spare_prompt(wrong, honest, &KernelPath::embed, prompt_rows);
    spare_prompt(wrong, honest, &KernelPath::qkv, prompt_rows);
    spare_prompt(wrong, honest, &KernelPath::attention, prompt_rows);
    spare_prompt(wrong, honest, &KernelPath::attn_output, prompt_rows);
    spare_prompt(wrong, honest, &KernelPath::gate_up, prompt_rows);
    spare_prompt(wrong, honest, &KernelPath::down, prompt_rows);
    spare_prompt(wrong, honest, &KernelPath::logits, prompt_rows);
    return wrong;
}

class Subject {
  public:
    Subject(const SelfTestRequest& request, std::shared_ptr<const Model> model)
        : request_(request), model_(std::move(model)) {
        compare_.model = model_;
        compare_.threads = 1;  // several cells are run at a time
        compare_.first_only = true;
        compare_.prompts = {self_test_prompt(*model_, prompt_tokens, 0)};
        compare_.reference = *find_kernel_path(request.candidate.device, "reference");
        compare_.floor = compare_.reference;
        compare_.truth = *find_kernel_path(request.candidate.device, "truth");
    }

    Result<SelfTestCell> run(const Place& place) {
        const Clock::time_point begin = Clock::now();
        SelfTestCell cell;
        cell.fault = place.spec;
        cell.step = place.step;
        cell.decode = place.decode;
        compare_.decode_steps = place.decode ? decode_steps : 0;
        LOCKSTEP_ASSIGN(compare_.candidate, plant(request_.candidate, place));
        LOCKSTEP_ASSIGN(KernelPath truth, plant(compare_.truth, place));
        compare_.plant = Plant{place.spec, std::move(truth)};
        LOCKSTEP_ASSIGN(const Inspection inspection, inspect(compare_));
        cell.first = inspection.comparison.first;
        cell.outcome = place_outcome(cell, inspection.comparison);
        if (inspection.comparison.planted) cell.effect = inspection.comparison.planted->times_floor;
        if (cell.outcome == SelfTestOutcome::found && inspection.diagnosis)
            take_diagnosis(*inspection.diagnosis, cell);
        cell.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        return cell;
    }

  private:
    Result<KernelPath> plant(const KernelPath& base, const Place& place) const {
        LOCKSTEP_ASSIGN(KernelPath wrong, request_.plant(base, place.spec, model_));
        if (!place.decode) return wrong;
        return in_decode_only(std::move(wrong), base, static_cast<int64_t>(prompt_tokens));
    }

    static void take_diagnosis(const Diagnosis& diagnosis, SelfTestCell& cell) {
        for (const Cause& cause : diagnosis.causes) cell.causes.push_back(cause.cause);
        if (diagnosis.causes.empty()) return;
        const Cause& best = diagnosis.causes.front();
        cell.confidence = best.confidence;
        cell.explained = best.explained;
        cell.next_best = best.next_best;
    }

    const SelfTestRequest& request_;
    std::shared_ptr<const Model> model_;
    CompareRequest compare_;
};

// Of a fault that nothing diverged by.
SelfTestOutcome unseen_outcome(const std::optional<PlantedFault>& planted) {
    if (planted && planted->outcome == PlantOutcome::under_floor)
        return SelfTestOutcome::under_floor;
    const bool nothing = planted && planted->outcome == PlantOutcome::no_effect;
    return nothing ? SelfTestOutcome::no_effect : SelfTestOutcome::missed;
}

}  // namespace

std::string_view outcome_name(SelfTestOutcome outcome) {
    switch (outcome) {
        case SelfTestOutcome::found:
            return "found";
        case SelfTestOutcome::wrong_place:
            return "wrong_place";
        case SelfTestOutcome::missed:
            return "missed";
        case SelfTestOutcome::under_floor:
            return "under_floor";
        case SelfTestOutcome::no_effect:
            return "no_effect";
    }
    return "";
}

bool SelfTestCell::apart() const {
    return outcome == SelfTestOutcome::under_floor || outcome == SelfTestOutcome::no_effect;
}

bool SelfTestCell::cause_right() const {
    return std::find(causes.begin(), causes.end(), fault.name) != causes.end();
}

bool SelfTestCell::cause_wrong() const {
    return !causes.empty() && !cause_right() && confidence == "high";
}

SelfTestOutcome place_outcome(const SelfTestCell& cell, const Comparison& comparison) {
    if (!comparison.first) return unseen_outcome(comparison.planted);
    const Divergence& first = *comparison.first;
    const bool right_place = first.layer == cell.fault.layer && first.step == cell.step &&
                             (first.pass > 0) == cell.decode;
    return right_place ? SelfTestOutcome::found : SelfTestOutcome::wrong_place;
}

SelfTestTotals totals_of(const std::vector<SelfTestCell>& cells) {
    SelfTestTotals totals;
    for (const SelfTestCell& cell : cells) {
        ++totals.cells;
        totals.apart += cell.apart();
        totals.found += cell.outcome == SelfTestOutcome::found;
        totals.diagnosed += !cell.causes.empty();
        totals.cause_right += cell.cause_right();
        totals.cause_alone += cell.cause_right() && cell.causes.size() == 1;
        totals.cause_wrong += cell.cause_wrong();
    }
    return totals;
}

bool SelfTestTotals::good() const {
    return cells > 0 && found == judged() && 20 * apart <= cells &&
           20 * cause_right >= 19 * diagnosed && cause_wrong == 0;
}

Status run_shared(const SelfTestRequest& request, const std::vector<SelfTestTask>& tasks) {
    std::atomic<size_t> done = 0, last = 0;
    std::atomic<bool> failed = false;
    std::mutex mutex;
    Status first;  // guarded by mutex
    std::vector<std::function<void()>> list;
    for (size_t i = 0; i < tasks.size(); ++i) {
        list.emplace_back([&, i] {
            if (failed) return;
            last = i;
            const Status ran = tasks[i].run();
            ++done;
            if (ran) return;
            const std::lock_guard<std::mutex> lock(mutex);
            if (!failed) first = within(tasks[i].name, ran.error());
            failed = true;
        });
    }
    const Status all = run_tasks(list, request.threads, [&] {
        if (failed || tasks.empty() || !request.progress) return true;
        const auto fraction = static_cast<double>(done) / static_cast<double>(tasks.size());
        return request.progress({tasks[last].name, fraction});
    });
    return failed ? first : all;
}

Result<SelfTestResult> run_self_test(const SelfTestRequest& request) {
    const Clock::time_point begin = Clock::now();
    SelfTestResult result;
    result.candidate = request.candidate.name;
    std::vector<std::vector<SelfTestCell>> cells(request.subjects.size());
    std::vector<SelfTestTask> tasks;
    for (size_t i = 0; i < request.subjects.size(); ++i) {
        const SelfTestSubject& subject = request.subjects[i];
        LOCKSTEP_ASSIGN(const std::shared_ptr<const Model> model,
                        subject.load(DType::bf16, weights_seed));
        const std::vector<Place> places = places_in(model->config, request);
        cells[i].resize(places.size());
        for (size_t k = 0; k < places.size(); ++k) {
            const auto run = [&request, &subject, model, place = places[k],
                              cell = &cells[i][k]]() -> Status {
                LOCKSTEP_ASSIGN(*cell, Subject(request, model).run(place));
                cell->model = subject.name;
                return {};
            };
            tasks.push_back({subject.name + ", " + fault_text(places[k].spec), run});
        }
    }
    LOCKSTEP_TRY(run_shared(request, tasks));
    tasks.clear();  // and with them the models
    for (const auto& of_subject : cells)
        result.cells.insert(result.cells.end(), of_subject.begin(), of_subject.end());
    LOCKSTEP_ASSIGN(result.controls, run_controls(request));
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return result;
}

}  // namespace lockstep
