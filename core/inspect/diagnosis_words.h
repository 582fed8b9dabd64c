// SPDX-License-Identifier: GPL-3.0-or-later
// A diagnosis as others read it.
#pragma once

#include <string>

#include "core/base/json.h"
#include "core/inspect/diagnosis.h"

namespace lockstep {

// [{cause, parameters, explained, next_best, confidence, what, evidence}]
OrderedJson diagnosis_json(const Diagnosis& diagnosis);

// "Cause: k's bias is dropped (explains 99.99%)." "Cause unknown: ..." with how the
// error looks and the nearest fault.
std::string diagnosis_sentence(const Diagnosis& diagnosis);

// "99.99%"; never 100% where anything is left.
std::string share_text(double share);

}  // namespace lockstep
