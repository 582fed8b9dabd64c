// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_replay.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lockstep {
namespace {

// RMS of an error in units of noise, of an output that is as it should be.
constexpr double right = 2.5;

using Outputs = std::vector<std::vector<float>>;  // of each tap of the case

Outputs outputs_of(const DiagnosisCase& given, const StepArgs& args) {
    Outputs outputs;
    const auto taps = step_taps(args, false);
    for (const TapValues& tap : given.taps()) {
        const auto same = std::find_if(taps.begin(), taps.end(), [&](const NamedTensor& each) {
            return each.name == tap.name;
        });
        outputs.push_back(same == taps.end() ? std::vector<float>() : values_on_host(same->tensor));
    }
    return outputs;
}

bool same_bits(float a, float b) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
           (std::isnan(a) && std::isnan(b));
}

double noise_at(const DiagnosisCase& given, const TapValues& tap, size_t i) {
    return std::max(std::hypot(static_cast<double>(tap.noise[i]), given.rounding() * tap.truth[i]),
                    1e-30);
}

// RMS of the outputs' error against `expected`, in units of noise.
template <class Expected>
double distance(const DiagnosisCase& given, const Outputs& outputs, const Expected& expected) {
    double sum = 0, count = 0;
    for (size_t t = 0; t < outputs.size(); ++t) {
        const TapValues& tap = given.taps()[t];
        for (size_t i = 0; i < outputs[t].size(); ++i) {
            const double off = outputs[t][i] - expected(tap, i);
            if (!std::isfinite(tap.truth[i])) continue;
            const double z = std::isfinite(off) ? off / noise_at(given, tap, i) : 1e3;
            sum += z * z;
            count += 1;
        }
    }
    return count > 0 ? std::sqrt(sum / count) : 0;
}

double at_truth(const TapValues& tap, size_t i) {
    return tap.truth[i];
}

void note_instability(const DiagnosisCase& given, const std::vector<Outputs>& runs,
                      Replay& replay) {
    double all = 0, unstable = 0;
    for (size_t t = 0; t < given.taps().size(); ++t) {
        const TapValues& tap = given.taps()[t];
        for (size_t i = 0; i < tap.truth.size(); ++i) {
            ++replay.elements;
            if (!same_bits(runs[0][t][i], runs[1][t][i])) ++replay.unstable;
            const double size = noise_at(given, tap, i);
            const auto in_noise = [&](double value) {
                return std::isfinite(value) ? std::min(std::abs(value) / size, 1e3) : 1e3;
            };
            const double error = in_noise(static_cast<double>(tap.candidate[i]) - tap.truth[i]);
            all += error * error;
            double spread = 0;
            for (const Outputs& run : runs)
                spread =
                    std::max(spread, in_noise(static_cast<double>(run[t][i]) - tap.candidate[i]));
            if (spread > 4 && error > 4) unstable += error * error;
        }
    }
    replay.unstable_share = all > 0 ? unstable / all : 0;
}

// The step with every activation that it reads negated: another call of the same shape.
Result<SampleStep> negated(const StepArgs& args) {
    LOCKSTEP_ASSIGN(SampleStep other, clone_step(args, DType::f32));
    for (const NamedTensor& tensor : step_tensors(other.args)) {
        const bool read = tensor.role == Role::input || tensor.name == "v_cache";
        if (!read || tensor.name == "q") continue;
        const int64_t count = tensor.tensor.numel();  // a clone's tensors are contiguous
        float* const values = tensor.tensor.as<float>();
        for (int64_t i = 0; i < count; ++i) values[i] = -values[i];
    }
    return other;
}

// Is the output of a call what the call before, on other inputs, should have put out?
Result<bool> is_stale(const DiagnosisCase& given, const DiagnosisRequest& request) {
    if (given.step() == StepId::embed) return false;  // its inputs are ids
    LOCKSTEP_ASSIGN(const std::unique_ptr<Stream> stream,
                    cpu_device().make_stream(request.threads));
    LOCKSTEP_ASSIGN(const SampleStep other, negated(given.args()));
    LOCKSTEP_ASSIGN(const SampleStep expected,
                    run_step_on(*find_kernel_path(DeviceKind::cpu, "truth"), other.args,
                                given.dtype(), *stream));
    LOCKSTEP_TRY(request.run_again(other.args));
    LOCKSTEP_ASSIGN(const SampleStep late, request.run_again(given.args()));
    const Outputs earlier = outputs_of(given, expected.args);
    const auto at_earlier = [&](const TapValues& tap, size_t i) {
        return static_cast<double>(earlier[given.tap_index(tap.name)][i]);
    };
    return distance(given, outputs_of(given, late.args), at_earlier) <= right;
}

}  // namespace

Result<Replay> replay(const DiagnosisCase& given, const DiagnosisRequest& request) {
    Replay result;
    if (!request.run_again) return result;
    result.ran = true;
    const auto again = [&](const StepArgs& args) -> Result<Outputs> {
        LOCKSTEP_ASSIGN(const SampleStep run, request.run_again(args));
        return outputs_of(given, run.args);
    };
    // The first puts a candidate that remembers into the state in which the others find it.
    LOCKSTEP_TRY(again(given.args()));
    std::vector<Outputs> runs(2);
    for (Outputs& run : runs) {
        LOCKSTEP_ASSIGN(run, again(given.args()));
    }
    note_instability(given, runs, result);
    // Right at once where the call before had the same inputs?
    if (result.unstable > 0 || distance(given, runs[1], at_truth) > right) return result;
    LOCKSTEP_ASSIGN(result.stale, is_stale(given, request));
    return result;
}

}  // namespace lockstep
