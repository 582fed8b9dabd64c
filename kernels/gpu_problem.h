// SPDX-License-Identifier: GPL-3.0-or-later
// In words, why CUDA finds no GPU: its own error says "insufficient driver" of a machine that has
// none as of one whose driver is too old.
#pragma once

#include <string>

namespace lockstep {

struct DriverState {
    bool library = false;     // libcuda.so.1 can be loaded: the driver's part for programs
    int driver_version = 0;   // the latest CUDA that it can run: 12040 is 12.4; 0: it does not say
    int runtime_version = 0;  // the CUDA that this program was built with, likewise
    std::string error;        // CUDA's own words
};

// Begins with "no usable NVIDIA GPU: ".
std::string gpu_problem(const DriverState& state);

}  // namespace lockstep
