// SPDX-License-Identifier: GPL-3.0-or-later
// What the words share: finding a model by its name, writing JSON, ending with an
// error.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"
#include "core/base/json.h"
#include "core/run/engine.h"
#include "kernels/status.h"

namespace lockstep::app {

// Parses, answers --help, runs body(options), and turns its error into one line and exit status 2.
int run_word(Options options, int argc, char** argv, Status (*body)(const Options&));
// The same for a word whose answer is its exit status.
int run_word(Options options, int argc, char** argv, Result<int> (*body)(const Options&));

inline constexpr const char* default_model = "smollm2-135m-instruct";
// M as the words take it: a catalogue name, a GGUF file or a folder.
Result<std::filesystem::path> resolve_model(const std::string& name);

Result<DType> dtype_option(const Options& options);              // --dtype, bf16 by default
Result<Device*> device_option(const Options& options);           // --device, cpu by default
Result<Engine::Options> engine_options(const Options& options);  // --threads, --context
Result<std::string> path_option(const Options& options, const std::string& fallback);  // --path
std::string known_paths();  // on every device
inline constexpr const char* device_help =
    "cpu (default), cuda, cuda:N (the N-th GPU), or\n"
    "auto: a GPU where one can be used";

std::string read_stdin();
// What a user's kernel prints, handed on to stderr; not all of it, where it is very much.
std::function<void(std::string_view)> kernel_output_to_stderr();
// "-" is stdout. Ends with a newline; bytes that are not UTF-8 become U+FFFD.
// indent: spaces per level, or -1 for a single line.
Status write_json(const std::string& file, const OrderedJson& json, int indent);

}  // namespace lockstep::app
