// SPDX-License-Identifier: GPL-3.0-or-later
// What every config must obey, whichever file it came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/config.h"
#include "kernels/status.h"

namespace lockstep {

// Far above any model of the families, low enough that neither the bytes of its weights nor those
// of its cache overflow.
struct ConfigLimits {
    static constexpr int64_t layers = 1024;
    static constexpr int64_t positions = int64_t{1} << 24;
    static constexpr int64_t size = int64_t{1} << 20;  // hidden_size, intermediate_size
    static constexpr int64_t heads = 4096;
    static constexpr int64_t head_dim = 1024;
    static constexpr int64_t vocabulary = int64_t{1} << 23;
};
// The largest cache, keys and values in fp32.
static_assert(ConfigLimits::positions <= INT64_MAX / (2 * 4) / ConfigLimits::layers /
                                             ConfigLimits::heads / ConfigLimits::head_dim);

std::optional<Architecture> architecture_from_name(std::string_view name);  // "qwen2", "llama"
// "phi3 is not supported; supported: qwen2, llama"
std::string unsupported_architecture(std::string_view name);

// The rules between fields; `where` stands in front of the error.
Status check_config(const ModelConfig& config, const std::string& where);

}  // namespace lockstep
