// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/self_test.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "app/common.h"
#include "core/inspect/self_test_report.h"

namespace lockstep::app {
namespace {

// The random ones, the default model and $LOCKSTEP_QWEN2 where they are; with --model those named.
Result<std::vector<SelfTestSubject>> subjects_of(const Options& options, Device& device) {
    const std::vector<SelfTestSubject> tiny = tiny_subjects(device);
    if (!options.has("model")) {
        std::vector<SelfTestSubject> all;
        if (auto file = resolve_model(default_model)) all.push_back(file_subject(*file, device));
        all.insert(all.end(), tiny.begin(), tiny.end());
        const char* const qwen2 = std::getenv("LOCKSTEP_QWEN2");  // NOLINT(concurrency-mt-unsafe)
        if (qwen2) all.push_back(file_subject(qwen2, device));
        return all;
    }
    std::vector<SelfTestSubject> chosen;
    for (const std::string& name : options.all("model")) {
        const auto found = std::find_if(tiny.begin(), tiny.end(),
                                        [&](const auto& subject) { return subject.name == name; });
        if (found != tiny.end()) {
            chosen.push_back(*found);
            continue;
        }
        LOCKSTEP_ASSIGN(const std::filesystem::path file, resolve_model(name));
        chosen.push_back(file_subject(file, device));
    }
    return chosen;
}

}  // namespace

Result<int> self_test(const Options& options) {
    SelfTestRequest request;
    LOCKSTEP_ASSIGN(Device* const device, device_option(options));
    const std::string name = options.text("candidate", "fused");
    const KernelPath* const path = find_kernel_path(device->kind(), name);
    if (!path) {
        return fail(ErrorKind::invalid_argument, "--self-test plants its faults in one of " +
                                                     known_paths() + ", not \"" + name + "\"");
    }
    request.candidate = *path;
    for (const std::string& fault : options.all("inject")) {
        if (!find_fault(fault)) LOCKSTEP_TRY(parse_fault(fault, 0).map([](const FaultSpec&) {}));
        request.faults.push_back(fault);
    }
    if (!request.faults.empty()) request.controls = 0;
    LOCKSTEP_ASSIGN(const Engine::Options settings, engine_options(options));
    request.threads = settings.threads;
    LOCKSTEP_ASSIGN(request.subjects, subjects_of(options, *device));
    const bool watched = isatty(STDERR_FILENO);
    request.progress = [&](const CompareProgress& progress) {
        if (watched)
            std::cerr << "\r\033[K" << std::lround(100 * progress.fraction) << "% " << progress.what
                      << std::flush;
        return true;
    };
    LOCKSTEP_ASSIGN(const SelfTestResult result, run_self_test(request));
    if (watched) std::cerr << "\r\033[K";
    if (options.has("json"))
        LOCKSTEP_TRY(write_json(options.text("json"), self_test_json(result), 1));
    if (options.text("json") != "-") std::cout << self_test_table(result);
    return totals_of(result.cells).good() && result.controls.alarms.empty() ? 0 : 1;
}

}  // namespace lockstep::app
