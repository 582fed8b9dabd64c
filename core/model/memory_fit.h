// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a model fits a device before any of it is loaded, and what would where it does not.
#pragma once

#include <cstdint>
#include <string>

#include "core/model/config.h"
#include "core/model/model_loader.h"

namespace lockstep {

MemoryEstimate estimate_memory(const ModelConfig& config, const LoadOptions& options);

struct MemoryFit {
    MemoryEstimate needed;
    int64_t context = 0;    // tokens of it
    int64_t available = 0;  // bytes free on the device
    std::string device;     // its name
    // Where it does not fit, what does:
    int64_t shorter_context = 0;  // the longest such; 0: none
    bool as_bf16 = false;         // where wider weights were asked for
    bool on_cpu = false;          // where another device was

    bool fits() const { return needed.total() <= available; }
    // One line: what is needed, what is free, and what fits.
    std::string words() const;
};

MemoryFit fit_memory(const ModelConfig& config, const LoadOptions& options);
// Reads headers only.
Result<MemoryFit> fit_memory(const std::filesystem::path& path, const LoadOptions& options);

}  // namespace lockstep
