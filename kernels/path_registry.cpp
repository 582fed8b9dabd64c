// SPDX-License-Identifier: GPL-3.0-or-later
// Every path that this build knows. A new one is a line here.
#include <algorithm>
#include <vector>

#include "kernels/kernel_path.h"

namespace lockstep {
namespace {

const std::vector<KernelPath>& cpu_paths() {
    static const std::vector<KernelPath> paths{
        make_cpu_truth_path(),
        make_cpu_reference_path(),
        make_cpu_fused_path(),
    };
    return paths;
}

std::vector<KernelPath>& cuda_paths() {
    static std::vector<KernelPath> paths = make_cuda_paths();
    return paths;
}

}  // namespace

std::span<const KernelPath> kernel_paths(DeviceKind device) {
    if (device == DeviceKind::cpu) return cpu_paths();
    return cuda_paths();
}

void replace_cuda_paths(std::vector<KernelPath> paths) {
    cuda_paths() = std::move(paths);
}

const KernelPath* find_kernel_path(DeviceKind device, std::string_view name) {
    const std::span<const KernelPath> paths = kernel_paths(device);
    const auto found = std::find_if(paths.begin(), paths.end(),
                                    [&](const KernelPath& path) { return path.name == name; });
    return found == paths.end() ? nullptr : &*found;
}

}  // namespace lockstep
