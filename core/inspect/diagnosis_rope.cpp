// SPDX-License-Identifier: GPL-3.0-or-later
// Hypotheses of qkv about the rotary embedding.
#include <algorithm>
#include <cmath>
#include <complex>

#include "core/inspect/diagnosis_qkv.h"

namespace lockstep {
namespace {

// Of each row and pair (i, i + half): the sum over heads of what the candidate has times the
// conjugate of what it is before RoPE, each as a complex number. Its argument is the angle that the
// candidate rotated by.
struct Turns {
    std::vector<int64_t> positions;
    Rectangle<std::complex<double>> sums;  // [rows, D / 2]
};

void add_turns(const DiagnosisCase& given, std::string_view name, const Matrix& before,
               const std::vector<int64_t>& rows, Turns& turns) {
    const TapValues* const tap = given.tap(name);
    if (!tap) return;
    const int64_t half = tap->width / 2;
    for (size_t r = 0; r < rows.size(); ++r) {
        std::complex<double>* const sums = turns.sums.row(static_cast<int64_t>(r));
        const float* const candidate = tap->candidate.data() + rows[r] * tap->columns();
        const double* const plain = before.row(rows[r]);
        for (int64_t head = 0; head < tap->heads; ++head) {
            const int64_t first = head * tap->width;
            for (int64_t i = first; i < first + half; ++i) {
                const std::complex<double> now(candidate[i], candidate[i + half]);
                const std::complex<double> then(plain[i], plain[i + half]);
                const std::complex<double> product = now * std::conj(then);
                if (std::isfinite(product.real()) && std::isfinite(product.imag()))
                    sums[i - first] += product;
            }
        }
    }
}

Turns turns_of(const DiagnosisCase& given) {
    const auto& before = qkv_before_rope(given);
    const std::vector<int64_t> rows = given.sample(12).rows;
    Turns turns;
    for (const int64_t row : rows) turns.positions.push_back(given.first_row() + row);
    turns.sums = Rectangle<std::complex<double>>(static_cast<int64_t>(rows.size()),
                                                 given.args_as<QkvArgs>().rope_cos.shape[1]);
    add_turns(given, "q", before[0], rows, turns);
    add_turns(given, "k", before[1], rows, turns);
    return turns;
}

std::vector<float> inv_freq_of(double theta, int64_t head_dim) {
    ModelConfig plain;
    plain.rope_theta = theta;
    plain.head_dim = head_dim;
    return rope_inv_freq(plain);
}

// How well the turns are those of a theta: the sum of their parts in its direction.
double agreement(const Turns& turns, double theta) {
    const int64_t half = turns.sums.columns;
    double sum = 0;
    for (int64_t i = 0; i < half; ++i) {
        const double frequency =
            std::pow(theta, -static_cast<double>(i) / static_cast<double>(half));
        for (int64_t r = 0; r < turns.sums.rows; ++r) {
            const double angle =
                static_cast<double>(turns.positions[static_cast<size_t>(r)]) * frequency;
            sum += (turns.sums.row(r)[i] * std::polar(1.0, -angle)).real();
        }
    }
    return sum;
}

double fitted_theta(const Turns& turns) {
    const auto misfit = [&](double log_theta) { return -agreement(turns, std::exp(log_theta)); };
    const double best = least_on_grid(std::log(1e2), std::log(1e8), 0.025, misfit);
    return std::exp(least_near(best, 0.0125, 1e-8, 1, misfit));
}

void add_thetas(const DiagnosisCase& given, Hypotheses& into) {
    const ModelConfig& config = given.model()->config;
    const auto add = [&](double theta, const char* cause, const std::string& words, int freedom) {
        QkvVariation variation;
        variation.rope = Rope();
        variation.rope->inv_freq = inv_freq_of(theta, config.head_dim);
        add_qkv(given, into, cause, words, variation, freedom, {{"theta", number_text(theta)}});
        into.back().family = "rope_theta";
    };
    const double usual = config.rope_theta == 10000 ? 500000 : 10000;
    const auto words = [](double theta) {
        return "the angles are those of rope_theta " + number_text(theta);
    };
    add(usual, "rope_wrong_theta", words(usual), 0);
    for (const double other : {1e4, 1e5, 2.5e5, 5e5, 1e6, 1e7}) {
        if (other != usual && other != config.rope_theta)
            add(other, "rope_wrong_theta", words(other), 1);
    }
    const double fitted = fitted_theta(turns_of(given));
    add(fitted, "rope_wrong_theta", words(fitted), 2);
    if (config.rope_scaling.type != RopeScaling::Type::none || !config.rope_freq_factors.empty())
        add(config.rope_theta, "rope_scaling_ignored", "the model's rope_scaling is ignored", 0);
}

}  // namespace

void add_rope_hypotheses(const DiagnosisCase& given, Hypotheses& into) {
    const auto add = [&](const char* cause, const std::string& words, const Rope& rope,
                         int freedom = 0, std::map<std::string, std::string> parameters = {}) {
        QkvVariation variation;
        variation.rope = rope;
        add_qkv(given, into, cause, words, variation, freedom, std::move(parameters));
    };
    Rope rope;
    rope.on = {false, false, false};
    add("rope_missing", "q and k are not rotated", rope);
    rope.on = {true, false, false};
    add("k_rope_missing", "k is not rotated", rope);
    rope.on = {false, true, false};
    add("", "q is not rotated", rope);
    rope.on = {true, true, true};
    add("rope_on_v", "v is rotated, too", rope);
    rope = Rope();
    rope.interleaved = true;
    add("rope_interleaved", "RoPE's pairs are (2i, 2i + 1) instead of (i, i + D/2)", rope);
    rope = Rope();
    rope.backwards = true;
    add("rope_wrong_sign", "q and k are rotated by the negative angle", rope);
    rope.interleaved = true;
    add("", "q and k are rotated by the negative angle, and pairs are (2i, 2i + 1)", rope);
    for (const int64_t offset : {1, -1, 2, -2}) {
        rope = Rope();
        rope.offset = offset;
        add("rope_position_off_by_one",
            "q and k are rotated as if each stood " + std::to_string(std::abs(offset)) +
                (std::abs(offset) == 1 ? " position " : " positions ") +
                (offset > 0 ? "later" : "earlier"),
            rope, offset == 1 ? 0 : 1, {{"offset", std::to_string(offset)}});
    }
    // A kernel that counts its rows from 0, whatever the cache holds already; of a single row that
    // is no rotation at all.
    if (given.first_row() > 2 && given.rows() > 1) {
        rope = Rope();
        rope.offset = -given.first_row();
        add("", "q and k are rotated as if the cache were empty", rope, 1);
    }
    add_thetas(given, into);
}

}  // namespace lockstep
