// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/gpu_problem.h"

namespace lockstep {
namespace {

std::string version_text(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string reason(const DriverState& state) {
    if (!state.library)
        return "no NVIDIA driver is installed (there is no libcuda.so.1 on this machine)";
    if (state.driver_version == 0)
        return "the NVIDIA driver is installed but does not run (" + state.error +
               "): nvidia-smi may say why";
    if (state.driver_version < state.runtime_version)
        return "the NVIDIA driver is too old: it runs CUDA " + version_text(state.driver_version) +
               ", this program needs CUDA " + version_text(state.runtime_version);
    return state.error;
}

}  // namespace

std::string gpu_problem(const DriverState& state) {
    return "no usable NVIDIA GPU: " + reason(state);
}

}  // namespace lockstep
