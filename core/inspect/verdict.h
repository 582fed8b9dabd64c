// SPDX-License-Identifier: GPL-3.0-or-later
// When a candidate has diverged: the rule of the whole program, for step tests and inspector alike.
// flash-attention's criterion (max error against the low-precision reference's) and an RMS ratio,
// judged for the whole tensor and for its parts, so that a local fault is not averaged away.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/tensor.h"

namespace lockstep {

// One rounding to nearest is at most this share of the value.
double unit_roundoff(DType dtype);

struct ErrorFigures {  // of a tensor against truth or against another path
    double max_abs = 0;
    double max_rel = 0;  // where the other is not 0
    double rms = 0;
    double cosine = 1;
    double within_1e3 = 1;    // share with |a - b| <= 1e-3 + 1e-3 |b|
    double max_ulp = 0;       // in units in the last place of the tensor's dtype
    int64_t worst_index = 0;  // of max_abs, or the first that is not finite
    // NaN or infinity where the other has none, or the reverse, or no comparison at all because the
    // shapes differ. Such elements are in none of the figures but within_1e3.
    bool non_finite = false;
};
// stop: where it becomes true meanwhile, the figures are those of a part only.
ErrorFigures compare_tensors(const Tensor& candidate, const Tensor& expected,
                             const std::atomic<bool>* stop = nullptr);
// The distance of two neighbouring values of `dtype` at `value`.
double ulp(float value, DType dtype);

struct Verdict {
    bool diverged = false;
    std::string part;  // "whole", "row 3", "head 2", "last columns": the first that broke the rule
    std::string reason;
    ErrorFigures candidate;  // against truth
    ErrorFigures reference;  // against truth: the noise floor
};

// Columns of the last tile: what is left of a row after whole tiles, or the last whole one. A row's
// columns are those of all heads together, as a kernel's outputs are.
inline constexpr int64_t verdict_tile = 64;

// All three of one shape; candidate and reference were computed from the same inputs as truth. The
// first dimension is rows; a tensor of rank 3 has heads in the second. `dtype` is the precision
// that the tap is computed in (logits are stored wider than that).
//
// Diverged where for the whole, a row, a head (over all rows) or the last tile of columns
//   max e_cand > 2 max e_ref + two roundings of dtype at the part's largest value, or
//   RMS(e_cand) > 1.5 RMS(e_ref), and the former is more than one rounding (two in a single row),
// or where a value is not finite and truth's is (or the other way round).
//
// A part's e_ref is one sample of the noise, and of few elements a poor one: an honest candidate
// must not fall because the reference was lucky in a row. So e_ref counts as no less than the
// whole's noise at the part's magnitude (RMS and max of e_ref over the RMS of truth), and for rows
// the noisiest row's; 1.5 is widened by exp(3 / sqrt(n)), the scatter of an RMS over n elements
// (n = 64: 2.2, n = 576: 1.7, n = 10,000: 1.55), of errors that few elements dominate by as much
// more as their kurtosis says; and of fewer than 16 elements no part is judged but the whole, by
// its maximum. The roundings in the second line are there because a row's errors go together: one
// large channel rounded up or down scales all of its row, in one path and not in the other.
//
// stop: where it becomes true meanwhile, the verdict says nothing.
Verdict judge(const Tensor& candidate, const Tensor& reference, const Tensor& truth, DType dtype,
              const std::atomic<bool>* stop = nullptr);
// The same with more than one sample of the noise: of each part, e_ref is that of the noisiest. The
// first is the reference, whose figures the verdict has; at least that one.
Verdict judge(const Tensor& candidate, std::span<const Tensor> references, const Tensor& truth,
              DType dtype, const std::atomic<bool>* stop = nullptr);

}  // namespace lockstep
