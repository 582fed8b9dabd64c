// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep compare: whether a candidate path computes the same model as the reference, and where
// they first part. Exit status 0: match, 1: diverged, 2: usage or input error.
#include <unistd.h>

#include <fstream>
#include <iomanip>
#include <iostream>

#include "app/common.h"
#include "app/prompts.h"
#include "app/self_test.h"
#include "app/user_path.h"
#include "app/words.h"
#include "core/base/output_file.h"
#include "core/inspect/candidate.h"
#include "core/inspect/html_report.h"
#include "core/inspect/inspection.h"
#include "core/inspect/report.h"
#include "core/inspect/repro.h"
#include "core/inspect/trace.h"

namespace lockstep::app {
namespace {

Options compare_options() {
    return {"compare",
            "lockstep compare --model M [--prompt P | --prompts F] [options]\n"
            "Runs every step of the candidate on the reference's inputs and says where the two "
            "first part.\n"
            "Exit status: 0 match, 1 diverged, 2 wrong usage or input.",
            {
                {"model", "M", "a catalogue name (see lockstep models), a GGUF file or a folder"},
                {"prompt", "P", "raw text (default Hello); may be given several times"},
                {"prompts", "F", "a JSON array of prompts"},
                {"chat", "", "put each prompt through the model's chat template"},
                {"dtype", "D", "bf16 (default), fp16 or fp32: what weights are expanded to"},
                {"device", "D", device_help},
                {"decode", "N", "decode steps after the prompt, the reference's tokens forced"},
                {"candidate", "PATH",
                 "default fused; one of " + known_paths() +
                     ", or a kernel of yours:\n"
                     "./my_kernel.so, or ./my_kernel.so,base=reference; or trace:F, a file\n"
                     "of taps that was captured anywhere (its prompt and decode steps)"},
                {"time-limit", "S", time_limit_help},
                {"reference", "PATH", "reference (default) or truth"},
                {"inject", "FAULT", "plant a fault in the candidate: FAULT@layer=N[,step=S]"},
                {"list-faults", "", "every fault: name, step and what it computes, by tabs"},
                {"threads", "N", "default 0: every core"},
                {"self-test", "",
                 "plant every fault, say how many are found and named (a table in Markdown);\n"
                 "--model limits it to models, --inject NAME to faults\n(without clean controls)"},
                {"json", "F", "write the report to F (- for stdout)"},
                {"html", "F", "write the report as one self-contained page to F"},
                {"repro", "DIR",
                 "where they part: write the step's inputs, weights and outputs to DIR, and a\n"
                 "program that calls your kernel on them"},
            }};
}

Result<KernelPath> path_of(const Options& options, DeviceKind device, const std::string& option,
                           const std::string& fallback) {
    const std::string name = options.text(option, fallback);
    if (const KernelPath* path = find_kernel_path(device, name)) return *path;
    return fail(ErrorKind::invalid_argument,
                "--" + option + " takes one of " + known_paths() + ", not \"" + name + "\"");
}

Result<std::vector<std::string>> prompt_texts(const Options& options) {
    if (!options.has("prompts")) {
        return options.has("prompt") ? options.all("prompt") : std::vector<std::string>{"Hello"};
    }
    if (options.has("prompt"))
        return fail(ErrorKind::invalid_argument, "give --prompt or --prompts, not both");
    const std::string file = options.text("prompts");
    LOCKSTEP_ASSIGN(const Json json, read_json_file(file));
    std::vector<std::string> texts;
    if (json.is_array()) {
        for (const Json& entry : json) {
            if (entry.is_string()) texts.push_back(entry.get<std::string>());
        }
    }
    if (texts.empty() || texts.size() != json.size())
        return fail(ErrorKind::invalid_argument, file + ": not a JSON array of strings");
    return texts;
}

void print_faults() {
    for (const FaultInfo& fault : fault_catalog())
        std::cout << fault.name << '\t' << step_name(fault.step) << '\t' << fault.summary << '\n';
}

// A misspelt fault is told before the model is loaded.
Status check_fault_name(const Options& options) {
    const std::string text = options.text("inject");
    if (!options.has("inject") || find_fault(text.substr(0, text.find('@')))) return {};
    return parse_fault(text, 0).map([](const FaultSpec&) {});
}

Result<Candidate> candidate_of(const Options& options, const std::shared_ptr<const Model>& model) {
    CandidateSpec spec;
    spec.text = options.text("candidate", "fused");
    LOCKSTEP_ASSIGN(spec.isolation, isolation_options(options, device_of(*model).kind()));
    if (options.has("inject")) {
        const auto layers = static_cast<int>(model->config.num_hidden_layers);
        LOCKSTEP_ASSIGN(spec.fault, parse_fault(options.text("inject"), layers));
    }
    return open_candidate(spec, device_of(*model).kind(), model);
}

// A trace is of one dtype: the model is loaded in that, where nothing else was asked for.
Result<DType> dtype_of(const Options& options) {
    const auto file = trace_file(options.text("candidate"));
    if (!file || options.has("dtype")) return dtype_option(options);
    LOCKSTEP_ASSIGN(const std::shared_ptr<const Trace> trace, Trace::open(*file));
    return trace->dtype();
}

// Told before the work is done, not after it.
Status check_outputs(const Options& options) {
    if (options.has("repro")) LOCKSTEP_TRY(check_repro_folder(options.text("repro")));
    for (const char* option : {"json", "html"}) {
        const std::string file = options.text(option);
        if (options.has(option) && file != "-") LOCKSTEP_TRY(check_writable(file));
    }
    return {};
}

Result<std::vector<std::vector<int32_t>>> encode_all(const Model& model,
                                                     const std::vector<std::string>& texts,
                                                     bool chat) {
    std::vector<std::vector<int32_t>> prompts;
    for (const std::string& text : texts) {
        LOCKSTEP_ASSIGN(std::vector<int32_t> ids, encode_prompt(model, text, chat));
        prompts.push_back(std::move(ids));
    }
    return prompts;
}

void print_table(const Comparison& comparison) {
    const auto layers = worst_layers(comparison);
    std::cout << std::left << std::setw(10) << "layer" << std::setw(13) << "step" << std::setw(12)
              << "tensor" << std::right << std::setw(11) << "drift" << std::setw(11) << "local"
              << std::setw(11) << "floor" << std::setw(11) << "in 1e-3" << '\n';
    for (const LayerComparison& layer : layers) {
        for (const StepComparison& step : layer.steps) {
            for (const TapComparison& tap : step.taps) {
                std::cout << std::left << std::setw(10)
                          << layer_name(layer.layer, layers.size() - 2) << std::setw(13)
                          << step_name(step.step) << std::setw(12) << tap.tensor << std::right
                          << std::setprecision(2) << std::scientific << std::setw(11)
                          << tap.drift.max_abs << std::setw(11) << tap.local.max_abs
                          << std::setw(11) << tap.noise_floor.max_abs << std::fixed
                          << std::setprecision(1) << std::setw(10) << 100 * tap.local.within_1e3
                          << '%' << (tap.verdict.diverged ? "  diverged" : "") << '\n';
            }
        }
    }
}

Result<int> compare(const Options& options) {
    if (options.has("list-faults")) {
        print_faults();
        return 0;
    }
    if (options.has("self-test")) return self_test(options);
    CompareRequest request;
    LOCKSTEP_TRY(check_fault_name(options));
    LoadOptions load;
    LOCKSTEP_ASSIGN(load.device, device_option(options));
    const DeviceKind device = load.device->kind();
    LOCKSTEP_ASSIGN(request.reference, path_of(options, device, "reference", "reference"));
    request.truth = *find_kernel_path(device, "truth");
    request.floor = request.reference.f32_activations ? *find_kernel_path(device, "reference")
                                                      : request.reference;
    LOCKSTEP_ASSIGN(const int64_t decode, options.integer("decode", 0, 0, 1 << 20));
    request.decode_steps = static_cast<int>(decode);
    LOCKSTEP_ASSIGN(const Engine::Options settings, engine_options(options));
    request.threads = settings.threads;
    LOCKSTEP_ASSIGN(std::vector<std::string> texts, prompt_texts(options));
    LOCKSTEP_TRY(check_outputs(options));
    LOCKSTEP_ASSIGN(load.dtype, dtype_of(options));
    LOCKSTEP_ASSIGN(const std::string name, options.required("model"));
    LOCKSTEP_ASSIGN(const std::filesystem::path file, resolve_model(name));
    LOCKSTEP_ASSIGN(request.model, load_model(file, load));
    LOCKSTEP_ASSIGN(Candidate candidate, candidate_of(options, request.model));
    request.candidate = std::move(candidate.path);
    request.trace = std::move(candidate.trace);
    request.plant = std::move(candidate.plant);
    if (request.trace && !options.has("prompt") && !options.has("prompts")) {
        texts = {request.model->tokenizer->decode(request.trace->prompt_ids(), true)};
    } else {
        LOCKSTEP_ASSIGN(request.prompts, encode_all(*request.model, texts, options.has("chat")));
    }
    const bool watched = isatty(STDERR_FILENO);
    request.progress = [&](const CompareProgress& progress) {
        if (watched)
            std::cerr << "\r\033[K" << std::lround(100 * progress.fraction) << "% " << progress.what
                      << std::flush;
        return true;
    };
    LOCKSTEP_ASSIGN(const Inspection inspection, inspect(request));
    const Comparison& comparison = inspection.comparison;
    const Diagnosis* const diagnosis = inspection.diagnosis ? &*inspection.diagnosis : nullptr;
    if (watched) std::cerr << "\r\033[K";
    if (options.has("json"))
        LOCKSTEP_TRY(
            write_json(options.text("json"), comparison_json(comparison, texts, diagnosis), 1));
    if (options.has("html"))
        LOCKSTEP_TRY(write_whole_file(options.text("html"), html_report(inspection, texts)));
    if (options.has("repro") && inspection.step)
        LOCKSTEP_TRY(write_repro(*inspection.step, comparison, options.text("repro")));
    if (options.text("json") != "-") {
        print_table(comparison);
        for (const std::string& missing : comparison.missing)
            std::cout << "not in the trace: " << missing << '\n';
        std::cout << comparison_sentence(comparison, diagnosis) << '\n';
    }
    return comparison.diverged() ? 1 : 0;
}

}  // namespace

int run_compare(int argc, char** argv) {
    return run_word(compare_options(), argc, argv, compare);
}

}  // namespace lockstep::app
