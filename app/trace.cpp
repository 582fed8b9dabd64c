// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep trace: every tap of a run, written to a file that lockstep compare can judge and other
// tools can read (docs/trace-format.md).
#include <iostream>

#include "app/common.h"
#include "app/interrupt.h"
#include "app/prompts.h"
#include "app/user_path.h"
#include "app/words.h"
#include "core/base/output_file.h"
#include "core/inspect/candidate.h"
#include "core/inspect/trace_writer.h"

namespace lockstep::app {
namespace {

constexpr int64_t most_decode_steps = 1 << 20;

Options trace_options() {
    return {"trace",
            "lockstep trace --model M --out F.safetensors [options]\n"
            "Runs the prompt and writes what every step put out (docs/trace-format.md).\n"
            "lockstep compare --candidate trace:F judges such a file, whoever made it.",
            {
                {"model", "M", "a catalogue name (see lockstep models), a GGUF file or a folder"},
                {"prompt", "P", "raw text (default Hello)"},
                {"chat", "", "put the prompt through the model's chat template"},
                {"dtype", "D", "bf16 (default), fp16 or fp32: what weights are expanded to"},
                {"device", "D", device_help},
                {"decode", "N",
                 "decode steps after the prompt, each fed the path's own greedy choice:\n"
                 "what it would have said. compare feeds the reference the same tokens,\n"
                 "so this is what a check of the path needs"},
                {"decode-ids", "LIST",
                 "feed the decode steps these ids instead (1,2,3): for two traces that are\n"
                 "to be held against each other row by row"},
                {"path", "P",
                 "default fused; one of " + known_paths() +
                     ", or a kernel of yours:\n"
                     "./my_kernel.so, or ./my_kernel.so,base=reference, in a process of its own"},
                {"time-limit", "S", time_limit_help},
                {"threads", "N", "default 0: every core"},
                {"out", "F", "the file to write"},
            }};
}

Result<std::vector<int32_t>> decode_ids(const Options& options) {
    std::vector<int32_t> ids;
    if (!options.has("decode-ids")) return ids;
    const std::string text = "[" + options.text("decode-ids") + "]";
    const auto json = parse_json(text, "--decode-ids");
    const auto wrong = [&] {
        return fail(ErrorKind::invalid_argument,
                    "--decode-ids takes token ids with commas between them, not \"" +
                        options.text("decode-ids") + "\"");
    };
    if (!json || json->empty()) return wrong();
    for (const Json& id : *json) {
        if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) return wrong();
        ids.push_back(id.get<int32_t>());
    }
    return ids;
}

Result<int> decode_steps(const Options& options, size_t forced) {
    const auto from_list = static_cast<int64_t>(forced);
    LOCKSTEP_ASSIGN(const int64_t steps,
                    options.integer("decode", from_list, 0, most_decode_steps));
    if (forced > 0 && steps != from_list) {
        return fail(ErrorKind::invalid_argument, "--decode " + std::to_string(steps) + " and the " +
                                                     std::to_string(forced) +
                                                     " of --decode-ids: leave one of them out");
    }
    return static_cast<int>(steps);
}

Result<KernelPath> traced_path(const Options& options, DeviceKind device) {
    const auto user = user_kernel_name(options.text("path", "fused"));
    if (!user) {
        LOCKSTEP_ASSIGN(const std::string name, path_option(options, "fused"));
        return *find_kernel_path(device, name);
    }
    LOCKSTEP_ASSIGN(const IsolationOptions isolation, isolation_options(options, device));
    return open_user_kernel_isolated(user->file, user->base, isolation)
        .map([](const UserKernel& kernel) { return kernel.path; });
}

Status trace(const Options& options) {
    TraceRequest request;
    LOCKSTEP_ASSIGN(request.decode_ids, decode_ids(options));
    LOCKSTEP_ASSIGN(request.decode_steps, decode_steps(options, request.decode_ids.size()));
    LoadOptions load;
    LOCKSTEP_ASSIGN(load.device, device_option(options));
    LOCKSTEP_ASSIGN(request.path, traced_path(options, load.device->kind()));
    LOCKSTEP_ASSIGN(const Engine::Options settings, engine_options(options));
    request.threads = settings.threads;
    LOCKSTEP_ASSIGN(load.dtype, dtype_option(options));
    LOCKSTEP_ASSIGN(const std::string name, options.required("model"));
    LOCKSTEP_ASSIGN(const std::string out, options.required("out"));
    LOCKSTEP_TRY(check_writable(out));
    LOCKSTEP_ASSIGN(const std::filesystem::path file, resolve_model(name));
    LOCKSTEP_ASSIGN(request.model, load_model(file, load));
    LOCKSTEP_ASSIGN(request.prompt, encode_prompt(*request.model, options.text("prompt", "Hello"),
                                                  options.has("chat")));
    LOCKSTEP_ASSIGN(const TraceWritten written, write_trace(request, out));
    std::cerr << out << ": " << written.tensors << " tensors, " << request.prompt.size()
              << " tokens and " << request.decode_steps << " decode steps\n";
    return {};
}

}  // namespace

int run_trace(int argc, char** argv) {
    return run_word(trace_options(), argc, argv, trace);
}

}  // namespace lockstep::app
