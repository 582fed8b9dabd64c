// SPDX-License-Identifier: GPL-3.0-or-later
// Puts one step of one path on the bench: does it compute what truth computes, write only what is
// its own, and give the same bits on any number of threads (on a GPU: every time)?
#pragma once

#include <memory>
#include <string>

#include "kernels/step_catalog.h"

namespace lockstep {

class StepExaminer {
  public:
    // For paths of this device. truth and the reference whose error is the noise floor are the
    // CPU's in any case, but for f32: there the floor is the order of a device's own sums.
    explicit StepExaminer(Device& device = cpu_device());

    // Empty where the path's step is right at this shape, else what is wrong with it.
    std::string examine(const KernelPath& path, StepId step, const StepShape& shape,
                        const SampleOptions& options);

  private:
    std::string judge_taps(const StepArgs& candidate, bool unfused, const StepArgs& given,
                           DType dtype);
    std::string compare_threads(const KernelPath& path, const StepArgs& given, DType dtype);

    const KernelPath& truth_;
    const KernelPath& reference_;
    const KernelPath& own_reference_;
    std::unique_ptr<Stream> cpu_;                    // truth and the reference
    std::unique_ptr<Stream> stream_, other_stream_;  // the path: on the CPU, two threads and one
};

// "T=17 H=576 ... bf16 strided", for messages.
std::string description(StepId step, const StepShape& shape, const SampleOptions& options);

}  // namespace lockstep
