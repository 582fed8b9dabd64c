// SPDX-License-Identifier: GPL-3.0-or-later
// When a candidate has diverged: the rule of the whole program, for step tests and inspector alike.
// flash-attention's criterion (max error against the low-precision reference's) and an RMS ratio,
// judged for the whole tensor and for its parts, so that a local fault is not averaged away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/tensor.h"

namespace lockstep {

struct ErrorFigures {  // of a tensor against truth or against another path
    double max_abs = 0;
    double max_rel = 0;
    double rms = 0;
    double cosine = 1;
    double within_1e3 = 1;  // share with |a - b| <= 1e-3 + 1e-3 |b|
    double max_ulp = 0;     // in units in the last place of the tensor's dtype
    int64_t worst_index = 0;
    bool non_finite = false;  // NaN or infinity where the other has none
};
ErrorFigures compare_tensors(const Tensor& candidate, const Tensor& expected);

struct Verdict {
    bool diverged = false;
    std::string part;  // "whole", "row 3", "head 2", "last columns": the first that broke the rule
    std::string reason;
    ErrorFigures candidate;  // against truth
    ErrorFigures reference;  // against truth: the noise floor
};

// All three of one shape; candidate and reference were computed from the same inputs as truth. The
// first dimension is rows; a tensor of rank 3 has heads in the second. `dtype` is the precision
// that the tap is computed in (logits are stored wider than that). Diverged if max e_cand > 2 max
// e_ref + atol (two roundings of dtype at the tensor's magnitude), or RMS(e_cand) / RMS(e_ref)
// > 1.5 beyond that rounding, or a non-finite value that truth has not.
Verdict judge(const Tensor& candidate, const Tensor& reference, const Tensor& truth, DType dtype);

}  // namespace lockstep
