// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis.h"

#include <algorithm>
#include <array>

#include "core/inspect/diagnosis_case.h"
#include "core/inspect/diagnosis_pattern.h"
#include "core/inspect/diagnosis_replay.h"
#include "core/inspect/diagnosis_search.h"
#include "core/inspect/diagnosis_words.h"
#include "core/inspect/fault.h"

namespace lockstep {
namespace {

constexpr const char* high = "high";
constexpr const char* ambiguous = "ambiguous";
constexpr const char* low = "low";
constexpr const char* no_confidence = "none";

Hypotheses hypotheses_of(const DiagnosisCase& given) {
    switch (given.step()) {
        case StepId::embed:
            return embed_hypotheses(given);
        case StepId::qkv:
            return qkv_hypotheses(given);
        case StepId::attention:
            return attention_hypotheses(given);
        case StepId::attn_output:
            return attn_output_hypotheses(given);
        case StepId::gate_up:
            return gate_up_hypotheses(given);
        case StepId::down:
            return down_hypotheses(given);
        case StepId::logits:
            return logits_hypotheses(given);
    }
    return {};
}

// The catalogue's name for a step's fault of a kind, else the kind alone.
std::string name_at(StepId step, const std::string& kind) {
    const std::string name = std::string(step_name(step)) + "_" + kind;
    return find_fault(name) ? name : kind;
}
// attention's output is attn.
std::string stale_name(StepId step) {
    if (step == StepId::attention) return "attn_output_stale";
    return name_at(step, "output_stale");
}

std::string tap_list(const DiagnosisCase& given) {
    std::string text;
    for (const TapValues& tap : given.taps())
        text += (text.empty() ? "" : (&tap == &given.taps().back() ? " and " : ", ")) + tap.name;
    return text;
}

// The most that a hypothesis which is not named explains.
const Trial* next_best(const Findings& findings, const std::vector<size_t>& named) {
    for (size_t i = 0; i < findings.trials.size(); ++i) {
        const Hypothesis& other = *findings.trials[i].hypothesis;
        const bool same = std::any_of(named.begin(), named.end(), [&](size_t index) {
            return index == i || (!other.cause.empty() &&
                                  findings.trials[index].hypothesis->cause == other.cause);
        });
        const bool fits = std::find(findings.fitting.begin(), findings.fitting.end(), i) !=
                          findings.fitting.end();
        if (!same && !fits) return &findings.trials[i];
    }
    return nullptr;
}

std::string title(const Hypothesis& hypothesis) {
    return hypothesis.cause.empty() ? "\"" + hypothesis.words + "\"" : hypothesis.cause;
}

Cause cause_of(const DiagnosisCase& given, const Findings& findings, const Trial& trial,
               const std::vector<size_t>& named, const char* confidence) {
    Cause cause;
    cause.cause = trial.hypothesis->cause;
    cause.parameters = trial.hypothesis->parameters;
    cause.explained = trial.score.explained_beyond_noise();
    cause.confidence = confidence;
    cause.what = trial.hypothesis->words;
    cause.evidence = "recomputed so from the true inputs, " + tap_list(given) +
                     " come out as the candidate has them, to within the noise";
    if (const Trial* const other = next_best(findings, named)) {
        cause.next_best = other->explained;
        cause.evidence += "; the next best, " + title(*other->hypothesis) + ", explains " +
                          share_text(other->explained);
    }
    return cause;
}

// Which of the fitting ones are said: a hypothesis of the same cause once, and one with a fitted
// number or without a name only where nothing simpler fits as well.
std::vector<size_t> said(const Findings& findings) {
    std::vector<size_t> named;
    for (const size_t i : findings.fitting) {
        const Hypothesis& own = *findings.trials[i].hypothesis;
        const bool repeated = std::any_of(named.begin(), named.end(), [&](size_t other) {
            const Hypothesis& earlier = *findings.trials[other].hypothesis;
            return earlier.cause == own.cause || earlier.freedom < 2;
        });
        const bool same_cause = std::any_of(named.begin(), named.end(), [&](size_t other) {
            return findings.trials[other].hypothesis->cause == own.cause;
        });
        if (own.freedom == 2 ? repeated : same_cause) continue;
        named.push_back(i);
    }
    return named;
}

void separate(const DiagnosisCase& given, Diagnosis& result) {
    if (given.rows() >= separating_tokens) {
        result.would_separate = "another model; in this one they come to the same on any prompt";
        return;
    }
    result.separating_tokens = separating_tokens;
    result.would_separate = "a prompt of " + std::to_string(separating_tokens) + " tokens";
}

void name_fitting(const DiagnosisCase& given, const Findings& findings, Diagnosis& result) {
    const std::vector<size_t> named = said(findings);
    const bool several = named.size() > 1;
    for (const size_t i : named) {
        const Trial& trial = findings.trials[i];
        Cause cause = cause_of(given, findings, trial, named, several ? ambiguous : high);
        if (cause.cause.empty()) {
            cause.cause = "unknown";
            cause.confidence = several ? ambiguous : no_confidence;
            cause.evidence = "not a fault of the catalogue, but " + cause.evidence;
        }
        result.causes.push_back(std::move(cause));
    }
    if (several) separate(given, result);
}

void name_together(const DiagnosisCase& given, const Findings& findings, Diagnosis& result) {
    for (const size_t i : findings.together) {
        Cause cause = cause_of(given, findings, findings.trials[i], findings.together, high);
        cause.evidence = "each explains one output, together all: " + cause.evidence;
        result.causes.push_back(std::move(cause));
    }
}

Cause member_of(const Pair& pair, const Hypothesis& own, double explained) {
    Cause cause;
    cause.cause = own.cause.empty() ? "unknown" : own.cause;
    cause.parameters = own.parameters;
    cause.what = own.words;
    cause.explained = explained;
    cause.next_best = pair.first_explained;
    cause.confidence = own.cause.empty() ? no_confidence : low;
    return cause;
}

// Two faults that reproduce the candidate together. False where neither has a name.
bool name_pair(const DiagnosisCase& given, const Findings& findings, Diagnosis& result) {
    const Pair& pair = *findings.pair;
    const double both = pair.score.explained_beyond_noise();
    Cause first = member_of(pair, *pair.first, pair.first_explained);
    Cause second = member_of(pair, pair.second, std::max(0.0, both - pair.first_explained));
    if (first.cause == "unknown" && second.cause == "unknown") return false;
    first.evidence = "two faults: recomputed with both from the true inputs, " + tap_list(given) +
                     " come out as the candidate has them, to within the noise (" +
                     share_text(both) + " explained); with the first alone " +
                     share_text(pair.first_explained);
    if (first.cause == "unknown") {
        second.evidence = std::move(first.evidence);
        first.evidence.clear();
        std::swap(first, second);
    }
    result.causes = {std::move(first), std::move(second)};
    return true;
}

std::string pair_text(const Pair& pair) {
    return "; two faults, " + title(*pair.first) + " and \"" + pair.second.words + "\", explain " +
           share_text(pair.explained) + " together, the first of them alone " +
           share_text(pair.first_explained);
}

std::string pattern_text(const ErrorPattern& pattern) {
    std::string text = "wrong in " + pattern.tensor + ": rows " + pattern.rows;
    if (!pattern.heads.empty()) text += ", heads " + pattern.heads;
    text += ", columns " + pattern.columns + "; errors " + pattern.sign;
    if (!pattern.values.empty()) text += "; the values are " + pattern.values;
    return text + "; as a whole " + number_text(pattern.scale_factor) + " times truth";
}

void abstain(const Findings& findings, Diagnosis& result) {
    Cause cause;
    cause.cause = "unknown";
    cause.confidence = no_confidence;
    cause.what = pattern_text(result.pattern);
    cause.evidence = "none of " + std::to_string(findings.trials.size()) +
                     " faults, recomputed from the true inputs, gives this output";
    if (!findings.trials.empty()) {
        const Trial& best = findings.trials.front();
        cause.next_best = best.explained;
        cause.evidence += "; the nearest, " + title(*best.hypothesis) + ", explains " +
                          share_text(best.explained);
    }
    if (findings.pair) cause.evidence += pair_text(*findings.pair);
    result.causes.push_back(std::move(cause));
}

void exclude(const Findings& findings, Diagnosis& result) {
    for (const Trial& trial : findings.trials) {
        const std::string& name = trial.hypothesis->cause;
        const auto is = [&](const auto& each) { return each.cause == name; };
        if (name.empty() || std::any_of(result.causes.begin(), result.causes.end(), is) ||
            std::any_of(result.excluded.begin(), result.excluded.end(), is))
            continue;
        result.excluded.push_back({name, trial.explained});
    }
}

bool diverged(const DiagnosisCase& given) {
    const StepRuns& runs = given.step_case().runs;
    const auto candidate = step_taps(runs.candidate.args, false);
    const auto reference = step_taps(runs.reference.args, false);
    const auto truth = step_taps(runs.truth.args, false);
    for (size_t i = 0; i < truth.size(); ++i) {
        if (judge(candidate[i].tensor, reference[i].tensor, truth[i].tensor, given.dtype())
                .diverged)
            return true;
    }
    return false;
}

// Causes that lie in when the step is run, not in what it computes.
std::optional<Cause> cause_of_state(const DiagnosisCase& given, const Replay& replay) {
    Cause cause;
    cause.confidence = high;
    if (replay.stale) {
        cause.cause = stale_name(given.step());
        if (!find_fault(cause.cause)) cause.cause = "unknown";
        cause.explained = 1;
        cause.what = "the output is that of the step's previous call";
        cause.evidence =
            "run on other inputs and then on these, the step put out what belongs to "
            "the others";
        if (cause.cause == "unknown") cause.confidence = no_confidence;
        return cause;
    }
    if (replay.unstable == 0) return std::nullopt;
    cause.cause = name_at(given.step(), "nondeterministic_write");
    cause.explained = replay.unstable_share;
    cause.parameters["elements"] = std::to_string(replay.unstable);
    cause.what = "the output differs from run to run";
    cause.evidence = std::to_string(replay.unstable) + " of " + std::to_string(replay.elements) +
                     " elements differ between two runs on the same inputs";
    return cause;
}

}  // namespace

Result<Diagnosis> diagnose(const DiagnosisRequest& request) {
    const auto tell = [&](double fraction) {
        return !request.progress || request.progress(fraction);
    };
    const auto stopped = [] { return fail(ErrorKind::cancelled, "the diagnosis was stopped"); };
    LOCKSTEP_ASSIGN(const std::unique_ptr<DiagnosisCase> given, DiagnosisCase::create(request));
    if (!tell(0.1)) return stopped();
    // A kernel that fails when it is tried again can still be explained by what it put out.
    const Replay replayed = replay(*given, request).value_or(Replay());
    if (!tell(0.2)) return stopped();

    Diagnosis result;
    result.pattern = describe_error(*given, replayed);
    const std::optional<Cause> state = cause_of_state(*given, replayed);
    // Where chance or an earlier call makes most of the error, nothing else is to be looked for.
    constexpr double most = 0.5;
    if (state && (replayed.stale || replayed.unstable_share > most)) {
        result.causes.push_back(*state);
        return result;
    }
    const Hypotheses hypotheses = hypotheses_of(*given);
    bool go_on = true;
    const Findings findings = search(*given, hypotheses, [&](double fraction) {
        go_on = tell(0.2 + 0.8 * fraction);
        return go_on;
    });
    if (!go_on) return stopped();
    if (findings.fitting.empty() && findings.together.empty() && !diverged(*given)) return result;
    if (!findings.fitting.empty()) {
        name_fitting(*given, findings, result);
    } else if (!findings.together.empty()) {
        name_together(*given, findings, result);
    } else if (!findings.pair || !findings.pair->fits || !name_pair(*given, findings, result)) {
        abstain(findings, result);
    }
    exclude(findings, result);
    if (state) result.causes.push_back(*state);
    return result;
}

}  // namespace lockstep
