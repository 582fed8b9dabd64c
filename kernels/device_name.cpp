// SPDX-License-Identifier: GPL-3.0-or-later
// Devices by the names that people give them.
#include <charconv>

#include "kernels/gpu_info.h"

namespace lockstep {

Result<Device*> device_from_name(std::string_view name) {
    if (name == "cpu") return &cpu_device();
    if (name == "cuda") return cuda_device(0);
    constexpr std::string_view prefix = "cuda:";
    int index = 0;
    if (name.starts_with(prefix)) {
        const std::string_view digits = name.substr(prefix.size());
        const char* const end = digits.data() + digits.size();
        const auto [stopped, error] = std::from_chars(digits.data(), end, index);
        if (error == std::errc() && stopped == end && index >= 0) return cuda_device(index);
    }
    return fail(
        ErrorKind::invalid_argument,
        "a device is cpu, cuda or cuda:N (the N-th GPU from 0), not \"" + std::string(name) + "\"");
}

}  // namespace lockstep
