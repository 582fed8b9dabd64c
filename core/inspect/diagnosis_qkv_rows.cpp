// SPDX-License-Identifier: GPL-3.0-or-later
// Hypotheses of qkv about where its rows of hidden lie.
#include <algorithm>
#include <cmath>

#include "core/inspect/diagnosis_qkv.h"

namespace lockstep {
namespace {

// v is not rotated: a few of its columns tell which numbers a row was computed from.
constexpr int64_t probe_columns = 24;

struct Probe {
    Linear linear;
    std::vector<int64_t> columns;
};

Probe probe_of(const DiagnosisCase& given) {
    Probe probe{qkv_linear(given.args_as<QkvArgs>(), 2), {}};
    const int64_t all = probe.linear.rows;
    for (int64_t i = 0; i < std::min(probe_columns, all); ++i)
        probe.columns.push_back(i * all / std::min(probe_columns, all));
    return probe;
}

// The stride for which row 1's v comes out best, below hidden_size.
int64_t fitted_stride(const DiagnosisCase& given) {
    const auto& args = given.args_as<QkvArgs>();
    const TapValues& v = *given.tap("v");
    const int64_t hidden_size = args.hidden.shape[1];
    const Probe probe = probe_of(given);
    FloatMatrix normed(hidden_size, hidden_size);
    for (int64_t stride = 0; stride < hidden_size; ++stride)
        normalise(args.hidden.as<float>() + stride, hidden_size, Norm::rms, args.rms_norm_eps,
                  args.input_layernorm, normed.row(stride));
    const Matrix outputs = product(given.pool(), normed, probe.linear, probe.columns);
    int64_t best = 0;
    double least = HUGE_VAL;
    for (int64_t stride = 0; stride < hidden_size; ++stride) {
        double misfit = 0;
        for (size_t c = 0; c < probe.columns.size(); ++c) {
            const double candidate =
                v.candidate[static_cast<size_t>(v.columns() + probe.columns[c])];
            const double off = outputs.row(stride)[c] - candidate;
            misfit += std::isfinite(off) ? off * off : 0;
        }
        if (misfit < least) best = stride;
        least = std::min(least, misfit);
    }
    return best;
}

// The shift for which a row's v is that of another row, within the prompt.
int64_t fitted_shift(const DiagnosisCase& given) {
    const TapValues& v = *given.tap("v");
    const Matrix& plain = qkv_before_rope(given)[2];
    const int64_t row = given.rows() / 2;
    const float* const candidate = v.candidate.data() + row * v.columns();
    int64_t best = 0;
    double least = HUGE_VAL;
    for (int64_t other = 0; other < plain.rows; ++other) {
        double misfit = 0;
        for (int64_t c = 0; c < v.columns(); ++c) {
            const double off = plain.row(other)[c] - candidate[c];
            misfit += std::isfinite(off) ? off * off : 0;
        }
        if (misfit < least) best = other - row;
        least = std::min(least, misfit);
    }
    return best;
}

}  // namespace

void add_row_hypotheses(const DiagnosisCase& given, Hypotheses& into) {
    const auto& args = given.args_as<QkvArgs>();
    const int64_t hidden_size = args.hidden.shape[1];
    if (given.rows() < 2 || !given.tap("v")) return;
    const auto add_stride = [&](int64_t stride, int freedom) {
        QkvVariation variation;
        variation.stride = stride;
        add_qkv(given, into, "hidden_stride_ignored",
                "row t of hidden begins at element t * " + std::to_string(stride) +
                    " of its memory instead of t * " + std::to_string(hidden_size),
                variation, freedom, {{"stride", std::to_string(stride)}});
    };
    if (args.hidden.contiguous()) {
        if (hidden_size > 8) add_stride(hidden_size - 8, 0);
        const int64_t stride = fitted_stride(given);
        if (stride != hidden_size - 8) add_stride(stride, 1);
    }
    const auto add_shift = [&](int64_t shift, int freedom) {
        QkvVariation variation;
        variation.row_shift = shift;
        add_qkv(given, into, "hidden_row_shifted",
                "row t is computed from row t " + std::string(shift < 0 ? "- " : "+ ") +
                    std::to_string(std::abs(shift)) + " of hidden",
                variation, freedom, {{"offset", std::to_string(shift)}});
    };
    add_shift(-1, 0);
    add_shift(1, 1);
    const int64_t shift = fitted_shift(given);
    if (std::abs(shift) > 1) add_shift(shift, 1);
}

}  // namespace lockstep
