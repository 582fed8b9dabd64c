// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/inspect/diagnosis_qkv.h"
#include "kernels/cpu/operands.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

using Rows = std::vector<int64_t>;

// The row of hidden's memory that row t is computed from.
const float* source(const QkvArgs& args, const QkvVariation& variation, int64_t t) {
    const float* const memory = args.hidden.as<float>();
    if (variation.stride) return memory + t * *variation.stride;
    const int64_t shifted = t + variation.row_shift;
    return row_of<float>(args.hidden, shifted >= 0 && shifted < args.hidden.shape[0] ? shifted : t);
}

FloatMatrix normed_rows(const DiagnosisCase& given, const QkvVariation& variation,
                        const Rows& rows) {
    const auto& args = given.args_as<QkvArgs>();
    FloatMatrix normed(static_cast<int64_t>(rows.size()), args.hidden.shape[1]);
    const double eps = variation.eps.value_or(args.rms_norm_eps);
    given.pool().parallel_for(normed.rows, 1, [&](int64_t first, int64_t last, int) {
        for (int64_t r = first; r < last; ++r) {
            float* const out = normed.row(r);
            normalise(source(args, variation, rows[static_cast<size_t>(r)]), normed.columns,
                      variation.norm, eps, args.input_layernorm, out);
            for (int64_t i = 0; i < normed.columns && variation.normed_scale != 1; ++i)
                out[i] = static_cast<float>(out[i] * variation.normed_scale);
            if (variation.round_normed) round_in_place(out, normed.columns, given.dtype());
        }
    });
    return normed;
}

Matrix rows_of(const Matrix& all, const Rows& rows) {
    Matrix some(static_cast<int64_t>(rows.size()), all.columns);
    for (size_t r = 0; r < rows.size(); ++r)
        std::copy_n(all.row(rows[r]), all.columns, some.row(static_cast<int64_t>(r)));
    return some;
}

Angles angles_at(const DiagnosisCase& given, const Rope& rope, int64_t row) {
    const auto& args = given.args_as<QkvArgs>();
    const int64_t position = given.first_row() + row + rope.offset;
    if (!rope.inv_freq.empty()) return angles_of(rope.inv_freq, position);
    if (position >= 0 && position < args.rope_cos.shape[0]) return angles_of_table(args, position);
    return angles_of(rope_inv_freq(given.model()->config), position);
}

void rotate_rows(const DiagnosisCase& given, const Rope& rope, const Rows& rows, Matrix& x) {
    for (size_t r = 0; r < rows.size(); ++r) {
        const Angles angles = angles_at(given, rope, rows[r]);
        const int64_t heads = x.columns / (2 * static_cast<int64_t>(angles.cosine.size()));
        rotate(x.row(static_cast<int64_t>(r)), heads, angles, rope.interleaved, rope.backwards);
    }
}

// k and v as they lie in the cache, one row late or early: what lies where nothing was written is
// not known.
Matrix shifted_rows(const Matrix& all, const Rows& rows, int64_t shift) {
    Matrix out(static_cast<int64_t>(rows.size()), all.columns);
    for (size_t r = 0; r < rows.size(); ++r) {
        double* const to = out.row(static_cast<int64_t>(r));
        const int64_t from = rows[r] - shift;
        if (from >= 0 && from < all.rows) {
            std::copy_n(all.row(from), all.columns, to);
        } else {
            std::fill_n(to, all.columns, std::numeric_limits<double>::quiet_NaN());
        }
    }
    return out;
}

Prediction predict_shifted_cache(const DiagnosisCase& given, int64_t shift, const Part& part) {
    const Rows all = given.everything().rows;
    const auto& before = qkv_before_rope(given);
    Matrix k = before[1];
    rotate_rows(given, Rope(), all, k);
    Prediction made;
    made.taps.resize(given.taps().size());
    made.taps[given.tap_index("k")] = shifted_rows(k, part.rows, shift).values;
    made.taps[given.tap_index("v")] = shifted_rows(before[2], part.rows, shift).values;
    return made;
}

bool rotated_otherwise(const Rope& rope, size_t which) {
    const Rope plain;
    if (rope.on[which] != plain.on[which]) return true;
    return rope.on[which] &&
           (!rope.inv_freq.empty() || rope.offset != 0 || rope.interleaved || rope.backwards);
}

}  // namespace

Linear qkv_linear(const QkvArgs& args, int which) {
    if (which == 0) return {args.q_proj, args.q_bias};
    return which == 1 ? Linear{args.k_proj, args.k_bias} : Linear{args.v_proj, args.v_bias};
}

const std::array<Matrix, 3>& qkv_before_rope(const DiagnosisCase& given) {
    using All = std::array<Matrix, 3>;
    return given.shared<All>("qkv before rope", [&] {
        const auto& args = given.args_as<QkvArgs>();
        const FloatMatrix normed = normed_rows(given, QkvVariation(), given.everything().rows);
        All all;
        for (int which = 0; which < 3; ++which)
            all[static_cast<size_t>(which)] =
                product(given.pool(), normed, qkv_linear(args, which));
        return all;
    });
}

Prediction predict_qkv(const DiagnosisCase& given, const QkvVariation& variation,
                       const Part& part) {
    if (variation.cache_shift != 0)
        return predict_shifted_cache(given, variation.cache_shift, part);
    const auto& args = given.args_as<QkvArgs>();
    constexpr std::array names{"q", "k", "v"};
    const Rope rope = variation.rope.value_or(Rope());
    std::optional<FloatMatrix> normed;
    Prediction made;
    made.taps.resize(given.taps().size());
    for (size_t which = 0; which < 3; ++which) {
        if (!given.tap(names[which])) continue;
        const bool recomputed = variation.changes_inputs() || variation.linear[which];
        const bool swapped = variation.k_v_swapped && which > 0;
        if (!recomputed && !rotated_otherwise(rope, which) && !swapped) continue;
        Matrix x;
        if (recomputed) {
            if (!normed) normed = normed_rows(given, variation, part.rows);
            const Linear plain = qkv_linear(args, static_cast<int>(which));
            x = product(given.pool(), *normed, variation.linear[which].value_or(plain));
        } else {
            x = rows_of(qkv_before_rope(given)[which], part.rows);
        }
        if (variation.linear[which] && variation.linear[which]->sum.rounding != Sum::Rounding::none)
            made.flips = true;
        if (rope.on[which]) rotate_rows(given, rope, part.rows, x);
        const size_t place = swapped ? 3 - which : which;
        made.taps[given.tap_index(names[place])] = std::move(x.values);
    }
    return made;
}

void add_qkv(const DiagnosisCase& given, Hypotheses& into, std::string cause, std::string words,
             QkvVariation variation, int freedom, std::map<std::string, std::string> parameters) {
    into.push_back({std::move(cause), std::move(parameters), std::move(words), freedom,
                    [&given, variation = std::move(variation)](const Part& part) {
                        return predict_qkv(given, variation, part);
                    }});
}

}  // namespace lockstep
