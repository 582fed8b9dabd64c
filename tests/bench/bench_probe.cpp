// SPDX-License-Identifier: GPL-3.0-or-later
// What a probe costs: the same tokens decoded by two sessions in turn, one of them recorded. The
// processor time of this thread is compared pair by pair, so that other work on the machine and its
// changing speed touch both alike; threads is 1 for the same reason.
//   bench_probe MODEL [tokens, default 64] [path, default fused] [on|off, default on]
// "off": neither is recorded, which is what chance does to the ratio.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/inspect/probe.h"
#include "core/model/model_loader.h"

using namespace lockstep;

namespace {

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2),
                     values.end());
    return values[values.size() / 2];
}

Result<double> decode(Session& session, const KernelPath& path, int32_t token, Probe* probe,
                      int pass) {
    if (probe) probe->begin_pass(pass);
    const double begin = cpu_seconds();
    LOCKSTEP_TRY(Forward::run(session, path, std::span(&token, 1), {nullptr, probe, false}));
    return cpu_seconds() - begin;
}

Status bench(const char* file, int tokens, const std::string& name, bool on) {
    LOCKSTEP_ASSIGN(const std::shared_ptr<const Model> model, load_model(file, {}));
    const KernelPath* const path = find_kernel_path(DeviceKind::cpu, name);
    if (!path) return fail(ErrorKind::invalid_argument, "there is no path " + name);
    LOCKSTEP_ASSIGN(const auto plain, Session::create(model, cpu_device(), 1, tokens + 2));
    LOCKSTEP_ASSIGN(const auto probed, Session::create(model, cpu_device(), 1, tokens + 2));
    LOCKSTEP_ASSIGN(const auto probe,
                    Probe::create(model->config, path->f32_activations ? DType::f32 : model->dtype,
                                  {1, tokens, 1}, cpu_device()));
    std::vector<double> without, with, ratios;
    for (int pass = 0; pass <= tokens; ++pass) {
        const int32_t token = 100 + pass;
        double off = 0, recorded = 0;
        for (const bool second : {pass % 2 == 0, pass % 2 != 0}) {
            LOCKSTEP_ASSIGN(const double seconds,
                            decode(second ? *probed : *plain, *path, token,
                                   second && on ? probe.get() : nullptr, pass));
            (second ? recorded : off) = seconds;
        }
        if (pass == 0) continue;  // first use of everything
        without.push_back(off);
        with.push_back(recorded);
        ratios.push_back(recorded / off);
    }
    std::printf(
        "%s, %d tokens, 1 thread: without %.3f ms, %s %.3f ms a token; ratio of pairs %.4f "
        "(medians)\n",
        path->name.c_str(), tokens, 1e3 * median(without), on ? "recorded" : "without",
        1e3 * median(with), median(ratios));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "bench_probe MODEL [tokens] [path] [on|off]\n");
        return 2;
    }
    const Status done =
        bench(argv[1], argc > 2 ? std::max(1, std::atoi(argv[2])) : 64,
              argc > 3 ? argv[3] : "fused", argc < 5 || std::string(argv[4]) != "off");
    if (!done) std::fprintf(stderr, "bench_probe: %s\n", done.error().message.c_str());
    return done ? 0 : 2;
}
