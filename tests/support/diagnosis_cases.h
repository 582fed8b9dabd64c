// SPDX-License-Identifier: GPL-3.0-or-later
// Comparisons whose candidate has a fault, and what their diagnoses say.
#pragma once

#include <memory>
#include <string>

#include "core/inspect/fault.h"
#include "core/inspect/inspection.h"

namespace lockstep::test {

// Tokens spread over the vocabulary.
std::vector<int32_t> spread_ids(size_t count, int64_t vocab_size);

// `candidate` against the reference, on one prompt.
Result<Inspection> inspect_path(const std::shared_ptr<const Model>& model,
                                const KernelPath& candidate, size_t tokens, int decode_steps);
// The same of a registered path with a fault planted. With decode steps it acts in those alone.
Result<Inspection> inspect_fault(const std::shared_ptr<const Model>& model, const char* base,
                                 const FaultSpec& fault, size_t tokens, int decode_steps);

// Is the first cause this one, or this one among several that can't be told apart?
bool names(const Diagnosis& diagnosis, const std::string& cause);
// "k_bias_dropped (high): ..."
std::string told(const Diagnosis& diagnosis);

}  // namespace lockstep::test
