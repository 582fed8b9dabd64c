// SPDX-License-Identifier: GPL-3.0-or-later
// A minimal standalone case of a step that went wrong, to be worked on without Lockstep: a folder
// with
//   repro.safetensors  the step's inputs and weights, and what candidate, reference and truth made
//   repro.cpp          calls the step's function of lockstep_kernel.h on them and compares
//   lockstep_kernel.h
// It is compiled together with the kernel's own source, in a debugger's or a sanitizer's reach.
#pragma once

#include <filesystem>

#include "core/inspect/comparison.h"

namespace lockstep {

// Whether write_repro() is likely to succeed, so that long work is not done in vain.
Status check_repro_folder(const std::filesystem::path& folder);

// The folder is made where it is not there, its parent is; files of those names in it are replaced.
// Errors name the file.
Status write_repro(const StepCase& step, const Comparison& comparison,
                   const std::filesystem::path& folder);

}  // namespace lockstep
