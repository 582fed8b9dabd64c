// SPDX-License-Identifier: GPL-3.0-or-later
// One file or folder that must be refused: how it is made, and what the refusal must say.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace lockstep::test {

struct BadCase {
    std::string name;
    // Writes into an empty folder; returns what is to be opened as a model.
    std::function<std::filesystem::path(const std::filesystem::path& folder)> make;
    std::vector<std::string> message;  // all of these stand in the error
};

std::vector<BadCase> bad_gguf_headers();
std::vector<BadCase> bad_gguf_metadata();
std::vector<BadCase> bad_gguf_tensors();
std::vector<BadCase> bad_safetensors();
std::vector<BadCase> bad_indexes();
std::vector<BadCase> bad_configs();
std::vector<BadCase> bad_folders();

}  // namespace lockstep::test
