// SPDX-License-Identifier: GPL-3.0-or-later
// A loaded shared object: which of lockstep_kernel.h's functions it exports, and how they are
// called. It is never unloaded: a thread that a kernel started may still be in its code.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "kernels/device.h"
#include "kernels/status.h"
#include "kernels/steps.h"

namespace lockstep {

struct KernelLibrary {
    std::string name;                       // of the file, for messages
    std::array<void*, step_count> steps{};  // by StepId; null: not exported
    const char* (*error_message)(int) = nullptr;
    DeviceKind device = DeviceKind::cpu;    // that all of its steps run on
    const char* (*cuda_error)() = nullptr;  // the CUDA runtime's, of a kernel that nvcc built
    uint32_t unfused_outputs = 0;           // bit s: step s writes them
    uint32_t replayable = 0;  // bit s: step s may be recorded (KernelPath::replayable)

    uint32_t steps_mask() const;
};

// fd: of the file. Errors: symbols that nobody defines, another ABI version, a device that is none,
// no step exported.
Result<KernelLibrary> load_kernel_library(int fd, const std::string& name);

// args: the step's struct of lockstep_kernel.h. A number other than 0 and an exception are errors.
Status call_kernel(const KernelLibrary& library, StepId step, const void* args);

// "lockstep_qkv"
std::string kernel_function(StepId step);

}  // namespace lockstep
