// SPDX-License-Identifier: GPL-3.0-or-later
// Where tests find real models. A test that lacks one says so with QSKIP.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace lockstep::test {

inline std::filesystem::path environment_path(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return value ? value : "";
}

inline bool is_file(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error);
}

// SmolLM2-135M-Instruct, in $LOCKSTEP_MODELS or in the user's models folder; empty where it is not.
inline std::filesystem::path default_model() {
    constexpr const char* name = "SmolLM2-135M-Instruct.Q4_1.gguf";
    std::filesystem::path data = environment_path("XDG_DATA_HOME");
    if (data.empty()) data = environment_path("HOME") / ".local" / "share";
    for (const auto& folder : {environment_path("LOCKSTEP_MODELS"), data / "lockstep" / "models"}) {
        if (!folder.empty() && is_file(folder / name)) return folder / name;
    }
    return {};
}

// A real Qwen2 GGUF, $LOCKSTEP_QWEN2; empty where it is not.
inline std::filesystem::path qwen2_model() {
    const std::filesystem::path path = environment_path("LOCKSTEP_QWEN2");
    return is_file(path) ? path : std::filesystem::path();
}

}  // namespace lockstep::test

// In a test: LOCKSTEP_NEED_MODEL(path, default_model());
#define LOCKSTEP_NEED_MODEL(variable, finder)                                             \
    const std::filesystem::path variable = ::lockstep::test::finder;                      \
    if (variable.empty())                                                                 \
    QSKIP(                                                                                \
        "the model is not here: ./lockstep test fetches the default one into the models " \
        "folder, LOCKSTEP_QWEN2 names a Qwen2 GGUF")
