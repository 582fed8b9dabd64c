// SPDX-License-Identifier: GPL-3.0-or-later
// Puts one step of one path on the bench: does it compute what truth computes, write only what is
// its own, and give the same bits on any number of threads?
#pragma once

#include <memory>
#include <string>

#include "kernels/step_catalog.h"

namespace lockstep {

class StepExaminer {
  public:
    // truth and the reference whose error is the noise floor.
    StepExaminer();

    // Empty where the path's step is right at this shape, else what is wrong with it.
    std::string examine(const KernelPath& path, StepId step, const StepShape& shape,
                        const SampleOptions& options);

  private:
    std::string judge_taps(const StepArgs& candidate, bool unfused, const StepArgs& given,
                           DType dtype);
    std::string compare_threads(const KernelPath& path, const StepArgs& given, DType dtype);

    const KernelPath& truth_;
    const KernelPath& reference_;
    std::unique_ptr<Stream> one_thread_, two_threads_;
};

// "T=17 H=576 ... bf16 strided", for messages.
std::string description(StepId step, const StepShape& shape, const SampleOptions& options);

}  // namespace lockstep
