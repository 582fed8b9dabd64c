// SPDX-License-Identifier: GPL-3.0-or-later
// Devices by the names that people give them.
#include <charconv>

#include "kernels/gpu_info.h"

namespace lockstep {
namespace {

// The first that can be used: a machine may have one that this program was not built for.
DeviceChoice choose_automatically(const DeviceFinder& finder) {
    const Result<std::vector<GpuInfo>> gpus = finder.gpus();
    if (!gpus) return {&cpu_device(), gpus.error().message};
    std::string problem;
    for (size_t index = 0; index < gpus->size(); ++index) {
        const Result<Device*> device = finder.gpu(static_cast<int>(index));
        const Status usable = device ? (*device)->usable() : Status();
        if (device && usable) return {*device, {}};
        if (problem.empty()) problem = device ? usable.error().message : device.error().message;
    }
    return {&cpu_device(), problem};
}

Result<DeviceChoice> choose_gpu(int index, const DeviceFinder& finder) {
    LOCKSTEP_ASSIGN(Device* const device, finder.gpu(index));
    LOCKSTEP_TRY(device->usable());
    return DeviceChoice{device, {}};
}

}  // namespace

Result<DeviceChoice> choose_device(std::string_view name, const DeviceFinder& finder) {
    if (name == "auto") return choose_automatically(finder);
    if (name == "cpu") return DeviceChoice{&cpu_device(), {}};
    if (name == "cuda") return choose_gpu(0, finder);
    constexpr std::string_view prefix = "cuda:";
    int index = 0;
    if (name.starts_with(prefix)) {
        const std::string_view digits = name.substr(prefix.size());
        const char* const end = digits.data() + digits.size();
        const auto [stopped, error] = std::from_chars(digits.data(), end, index);
        if (error == std::errc() && stopped == end && index >= 0) return choose_gpu(index, finder);
    }
    return fail(ErrorKind::invalid_argument,
                "a device is auto, cpu, cuda or cuda:N (the N-th GPU from 0), not \"" +
                    std::string(name) + "\"");
}

Result<Device*> device_from_name(std::string_view name) {
    return choose_device(name).map([](const DeviceChoice& choice) { return choice.device; });
}

}  // namespace lockstep
