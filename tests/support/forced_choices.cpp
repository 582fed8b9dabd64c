// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/forced_choices.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/run/forward.h"

namespace lockstep::test {
namespace {

int32_t best_of(std::span<const float> logits) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// [n, V]: after the prompt and after each of truth's tokens but the last, in one pass.
Result<std::vector<float>> logits_after(const std::shared_ptr<const Model>& model, const char* path,
                                        std::span<const int32_t> prompt,
                                        std::span<const int32_t> truth) {
    std::vector<int32_t> ids(prompt.begin(), prompt.end());
    ids.insert(ids.end(), truth.begin(), truth.end() - 1);
    LOCKSTEP_ASSIGN(const auto session,
                    Session::create(model, device_of(*model), 0, static_cast<int64_t>(ids.size())));
    ForwardOptions options;
    options.all_logits = true;
    LOCKSTEP_ASSIGN(const Tensor logits,
                    Forward::run(*session, *find_kernel_path(DeviceKind::cpu, path), ids, options));
    const auto* const rows = logits.as<const float>();
    const auto first = static_cast<int64_t>(prompt.size() - 1) * logits.shape[1];
    return std::vector<float>(rows + first, rows + logits.numel());
}

double standard_deviation(std::span<const float> values, std::span<const float> exact) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
        const double error = static_cast<double>(values[i]) - static_cast<double>(exact[i]);
        sum += error;
        squares += error * error;
    }
    const auto count = static_cast<double>(exact.size());
    return std::sqrt(std::max(0.0, squares / count - (sum / count) * (sum / count)));
}

}  // namespace

Result<ChoiceRuler> make_choice_ruler(const std::shared_ptr<const Model>& exact,
                                      const std::shared_ptr<const Model>& rounded,
                                      std::span<const int32_t> prompt,
                                      std::span<const int32_t> truth) {
    ChoiceRuler ruler;
    ruler.truth.assign(truth.begin(), truth.end());
    LOCKSTEP_ASSIGN(ruler.logits, logits_after(exact, "truth", prompt, truth));
    ruler.scatter.assign(truth.size(), 0);
    if (!rounded) return ruler;
    LOCKSTEP_ASSIGN(const auto reference, logits_after(rounded, "reference", prompt, truth));
    const size_t vocab_size = ruler.logits.size() / truth.size();
    for (size_t i = 0; i < truth.size(); ++i) {
        const auto row = std::span(reference).subspan(i * vocab_size, vocab_size);
        const auto exact_row = std::span(ruler.logits).subspan(i * vocab_size, vocab_size);
        ruler.scatter[i] = M_SQRT2 * standard_deviation(row, exact_row);
        ruler.reference_changes += best_of(row) != truth[i];
    }
    return ruler;
}

Result<std::vector<int32_t>> forced_choices(Session& session, const KernelPath& path,
                                            uint64_t replay_key, std::span<const int32_t> prompt,
                                            std::span<const int32_t> truth) {
    session.truncate(0);
    ForwardOptions options;
    options.replay_key = replay_key;
    std::vector<int32_t> chosen;
    std::span<const int32_t> next = prompt;
    for (size_t i = 0; i < truth.size(); ++i) {
        LOCKSTEP_ASSIGN(const Tensor logits, Forward::run(session, path, next, options));
        chosen.push_back(best_of({logits.as<const float>(), static_cast<size_t>(logits.numel())}));
        next = truth.subspan(i, 1);
    }
    return chosen;
}

void ChoiceCount::add(const ChoiceRuler& ruler, std::span<const int32_t> chosen) {
    const size_t vocab_size = ruler.logits.size() / ruler.truth.size();
    reference_changes += ruler.reference_changes;
    for (size_t i = 0; i < ruler.truth.size(); ++i) {
        const auto logits = std::span(ruler.logits).subspan(i * vocab_size, vocab_size);
        const double scatter = ruler.scatter[i];
        ++tokens;
        const int32_t token = i < chosen.size() ? chosen[i] : -1;
        if (token == ruler.truth[i]) {
            ++exact;
            continue;
        }
        const double best = logits[static_cast<size_t>(best_of(logits))];
        const bool known = token >= 0 && static_cast<size_t>(token) < vocab_size;
        const double lead =
            known ? best - static_cast<double>(logits[static_cast<size_t>(token)]) : HUGE_VAL;
        widest = std::max(widest, lead);
        if (lead <= tie) {
            ++ties;
            continue;
        }
        in_scatters = std::max(in_scatters, lead / scatter);
        if (lead <= most_scatters * scatter) {
            ++by_rounding;
        } else if (wrong++ == 0) {
            first_wrong = "token " + std::to_string(token) + " where truth has " +
                          std::to_string(ruler.truth[i]) + " with a lead of " +
                          std::to_string(lead) + "; rounding scatters it by " +
                          std::to_string(scatter);
        }
    }
}

bool ChoiceCount::good() const {
    return wrong == 0 && by_rounding <= reference_changes + 3 * std::sqrt(2.0 * reference_changes);
}

std::string ChoiceCount::words() const {
    char text[256];
    (void)std::snprintf(
        text, sizeof text,
        "%d tokens: %d exact, %d ties within %g, %d ties within the rounding "
        "(the CPU reference: %d; widest lead %.3g, in scatters %.2g of %g), %d wrong",
        tokens, exact, ties, tie, by_rounding, reference_changes, widest, in_scatters,
        most_scatters, wrong);
    return text;
}

}  // namespace lockstep::test
