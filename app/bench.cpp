// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep bench: decode and prefill of a model, against the read bandwidth measured in the same
// run. Paths and bandwidth take turns piece by piece, so that a noisy machine disturbs all of them
// alike.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <optional>

#include "app/common.h"
#include "app/words.h"
#include "core/base/random.h"
#include "core/inspect/candidate.h"
#include "core/model/random_shape.h"
#include "core/run/answer.h"
#include "kernels/bandwidth.h"
#include "kernels/cpu/cpu_stream.h"

namespace lockstep::app {
namespace {

constexpr int64_t piece_tokens = 16;
constexpr int prefill_rounds = 3;
constexpr int bandwidth_passes = 3;

Options bench_options() {
    return {"bench",
            "lockstep bench --model M [--path P] [options]\n"
            "Measures decode and prefill (medians), and the memory's read bandwidth with the same "
            "threads in\n"
            "the same run. Without --path: fused, and reference beside it.",
            {
                {"model", "M",
                 "a catalogue name (see lockstep models), a GGUF file or a folder; random:SHAPE\n"
                 "for random weights of the shape of " +
                     random_shape_names()},
                {"device", "D", device_help},
                {"path", "NAME",
                 "measure one path only: " + known_paths() +
                     ", or a kernel of yours,\n"
                     "./my_kernel.so, unchecked"},
                {"dtype", "D", "bf16 (default), fp16 or fp32: what weights are expanded to"},
                {"prompt-tokens", "N", "rows of the prefill (default 512)"},
                {"tokens", "N", "tokens decoded after it (default 128)"},
                {"threads", "N", "default 0: every core"},
                {"steps", "", "also what each step takes: how much less a token takes without it"},
                {"json", "F",
                 "write {device, threads, bandwidth_gb_s, model, path, decode: {tokens_per_s,\n"
                 "ms_per_token, weight_bytes, fraction_of_bandwidth}, prefill: {tokens,\n"
                 "tokens_per_s}} to F; without --path with the same of the other path under\n"
                 "\"reference\": {path, decode, prefill}; with --steps every decode has steps: "
                 "[{step,\n"
                 "ms_per_token, weight_bytes, fraction_of_bandwidth}]"},
            }};
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

struct Measured {
    const KernelPath* path;
    uint64_t number;  // what its decode steps are recorded under
    std::vector<double> token_seconds, prefill_seconds;
    std::vector<double> round_token_seconds;  // the median of each round
};

// A path without one of its steps. What a token takes less without a step is what the step takes:
// alone, its weights might fit a cache.
struct PathWithout {
    std::string_view name;  // the step's; empty for the whole path
    int64_t weight_bytes = 0;
    KernelPath path;
    std::vector<double> token_seconds;
};

template <class Args>
StepFunction<Args> left_out() {
    return [](const Args&, Stream&) { return Status(); };
}

std::vector<PathWithout> paths_without(const KernelPath& path, const Weights& weights) {
    KernelPath nothing = path;
    nothing.embed = left_out<EmbedArgs>();
    nothing.qkv = left_out<QkvArgs>();
    nothing.attention = left_out<AttentionArgs>();
    nothing.attn_output = left_out<AttnOutputArgs>();
    nothing.gate_up = left_out<GateUpArgs>();
    nothing.down = left_out<DownArgs>();
    nothing.logits = left_out<LogitsArgs>();
    std::vector<PathWithout> paths{{"", 0, path, {}}};
    for (int i = 0; i < step_count; ++i) {
        const auto step = static_cast<StepId>(i);
        paths.push_back(
            {step_name(step), weights.bytes_per_token(step), path.with_step(step, nothing), {}});
    }
    return paths;
}

class Bench {
  public:
    Bench(Session& session, std::vector<int32_t> prompt, int64_t tokens)
        : session_(session), prompt_(std::move(prompt)), tokens_(tokens) {}

    Status run(std::vector<Measured>& paths) {
        LOCKSTEP_TRY(warm_up(paths));
        for (int round = 0; round < prefill_rounds; ++round) {
            for (Measured& measured : paths) LOCKSTEP_TRY(time_prefill(measured));
        }
        LOCKSTEP_TRY(time_bandwidth());
        for (int64_t done = 0; done < tokens_; done += piece_tokens) {
            for (Measured& measured : paths) {
                session_.truncate(prompt_rows() + done);
                LOCKSTEP_TRY(time_decode(measured, std::min(piece_tokens, tokens_ - done)));
            }
            LOCKSTEP_TRY(time_bandwidth());
        }
        return {};
    }
    // The whole path, then without each step. After run().
    Result<std::vector<PathWithout>> run_without_steps(const Measured& measured) {
        std::vector<PathWithout> paths = paths_without(*measured.path, session_.model().weights);
        for (int64_t done = 0; done < tokens_; done += piece_tokens) {
            for (size_t i = 0; i < paths.size(); ++i) {
                session_.truncate(prompt_rows() + done);
                Measured without{&paths[i].path, measured.number * 100 + i, {}, {}, {}};
                LOCKSTEP_TRY(time_decode(without, std::min(piece_tokens, tokens_ - done)));
                paths[i].token_seconds.insert(paths[i].token_seconds.end(),
                                              without.token_seconds.begin(),
                                              without.token_seconds.end());
            }
        }
        return paths;
    }
    double bandwidth() const { return median(bandwidths_); }
    // Of the bandwidth, which may drift by half within a run: each round's share is of what was
    // measured right before and after it.
    double fraction(const Measured& measured, int64_t token_bytes) const {
        std::vector<double> fractions;
        for (size_t i = 0; i < measured.round_token_seconds.size(); ++i) {
            const double gb_s = (bandwidths_[i] + bandwidths_[i + 1]) / 2;
            fractions.push_back(static_cast<double>(token_bytes) / measured.round_token_seconds[i] /
                                (gb_s * 1e9));
        }
        return median(fractions);
    }

  private:
    int64_t prompt_rows() const { return static_cast<int64_t>(prompt_.size()); }

    Status prefill(const KernelPath& path) {
        session_.truncate(0);
        std::span<const int32_t> rest = prompt_;
        while (!rest.empty()) {
            const auto rows = std::min(rest.size(), static_cast<size_t>(session_.batch_rows(path)));
            LOCKSTEP_TRY(Forward::run(session_, path, rest.first(rows), {}));
            rest = rest.subspan(rows);
        }
        return {};
    }

    // The one that stands beside the first may lack what it needs (cuBLAS): then it is left out.
    Status warm_up(std::vector<Measured>& paths) {
        LOCKSTEP_TRY(warm_up(paths.front()));
        for (auto other = paths.begin() + 1; other != paths.end();) {
            Status warm = warm_up(*other);
            if (!warm && warm.error().kind != ErrorKind::unsupported) return warm;
            if (!warm) std::cerr << "lockstep: " << warm.error().message << '\n';
            other = warm ? other + 1 : paths.erase(other);
        }
        return {};
    }

    Status warm_up(const Measured& measured) {
        LOCKSTEP_TRY(prefill(*measured.path));
        for (int i = 0; i < 2; ++i) LOCKSTEP_TRY(decode(measured));
        return {};
    }

    // Until the logits are in the host's memory. Which token is fed changes no time.
    Status decode(const Measured& measured) {
        const auto vocab_size = static_cast<uint64_t>(session_.model().config.vocab_size);
        const auto next = static_cast<int32_t>(random_.next() % vocab_size);
        ForwardOptions options;
        options.replay_key = measured.number;
        return Forward::run(session_, *measured.path, std::span(&next, 1), options)
            .map([](const Tensor&) {});
    }

    Status time_prefill(Measured& measured) {
        const Stopwatch clock;
        LOCKSTEP_TRY(prefill(*measured.path));
        measured.prefill_seconds.push_back(clock.seconds());
        return {};
    }

    Status time_bandwidth() {
        LOCKSTEP_ASSIGN(const double bandwidth,
                        measure_read_bandwidth(session_.stream(), bandwidth_passes));
        bandwidths_.push_back(bandwidth);
        return {};
    }

    Status time_decode(Measured& measured, int64_t count) {
        std::vector<double> seconds;
        for (int64_t i = 0; i < count; ++i) {
            const Stopwatch clock;
            LOCKSTEP_TRY(decode(measured));
            seconds.push_back(clock.seconds());
        }
        measured.token_seconds.insert(measured.token_seconds.end(), seconds.begin(), seconds.end());
        measured.round_token_seconds.push_back(median(seconds));
        return {};
    }

    Session& session_;
    std::vector<int32_t> prompt_;
    int64_t tokens_;
    Random random_{1};
    std::vector<double> bandwidths_;  // before each round, and after the last
};

OrderedJson figures(const Measured& measured, const Model& model, int64_t prompt_tokens,
                    const Bench& run) {
    const double token = median(measured.token_seconds), prefill = median(measured.prefill_seconds);
    const auto bytes = model.weights.bytes_per_token();
    return {
        {"path", measured.path->name},
        {"decode",
         {{"tokens_per_s", 1 / token},
          {"ms_per_token", token * 1e3},
          {"weight_bytes", bytes},
          {"fraction_of_bandwidth", run.fraction(measured, bytes)}}},
        {"prefill",
         {{"tokens", prompt_tokens},
          {"tokens_per_s", static_cast<double>(prompt_tokens) / prefill}}},
    };
}

void print(const OrderedJson& path) {
    const OrderedJson& decode = path["decode"];
    std::cout << std::fixed << std::setw(10) << std::left << path["path"].get<std::string>()
              << std::right << std::setprecision(1) << std::setw(9)
              << decode["tokens_per_s"].get<double>() << " tokens/s decode ("
              << std::setprecision(3) << decode["ms_per_token"].get<double>() << " ms, "
              << std::setprecision(2) << decode["fraction_of_bandwidth"].get<double>()
              << " of the bandwidth)" << std::setprecision(1) << std::setw(10)
              << path["prefill"]["tokens_per_s"].get<double>() << " tokens/s prefill of "
              << path["prefill"]["tokens"] << '\n';
}

OrderedJson step_figures(const std::vector<PathWithout>& paths, double gb_s) {
    OrderedJson rows = OrderedJson::array();
    const double whole = median(paths.front().token_seconds);
    for (const PathWithout& without : std::span(paths).subspan(1)) {
        const double seconds = whole - median(without.token_seconds);
        OrderedJson row = {{"step", without.name}, {"ms_per_token", seconds * 1e3}};
        if (without.weight_bytes > 0) row["weight_bytes"] = without.weight_bytes;
        if (without.weight_bytes > 0 && seconds > 0) {  // a small step may drown in the noise
            row["fraction_of_bandwidth"] =
                static_cast<double>(without.weight_bytes) / seconds / (gb_s * 1e9);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

void print_steps(const OrderedJson& steps) {
    for (const OrderedJson& step : steps) {
        std::cout << "  " << std::setw(12) << std::left << step["step"].get<std::string>()
                  << std::right << std::setprecision(3) << std::setw(9)
                  << step["ms_per_token"].get<double>() << " ms";
        if (step.contains("fraction_of_bandwidth"))
            std::cout << std::setprecision(2) << std::setw(7)
                      << step["fraction_of_bandwidth"].get<double>() << " of the bandwidth";
        std::cout << '\n';
    }
}

// own: a user's kernels, where those are wanted.
std::vector<Measured> wanted_paths(const Options& options, DeviceKind device,
                                   const KernelPath* own) {
    if (own) return {{own, 1, {}, {}, {}}};
    if (options.has("path"))
        return {{find_kernel_path(device, options.text("path")), 1, {}, {}, {}}};
    std::vector<Measured> paths;
    for (const char* name : {"fused", "reference"}) {
        if (const KernelPath* path = find_kernel_path(device, name))
            paths.push_back({path, paths.size() + 1, {}, {}, {}});
    }
    return paths;
}

Result<std::shared_ptr<const Model>> open_model(const Options& options, const LoadOptions& load) {
    LOCKSTEP_ASSIGN(const std::string name, options.required("model"));
    constexpr std::string_view random = "random:";
    if (name.starts_with(random))
        return make_random_shape(name.substr(random.size()), load.dtype, *load.device);
    LOCKSTEP_ASSIGN(const std::filesystem::path file, resolve_model(name));
    return load_model(file, load);
}

// Any ids do: what they are changes no time. The same ones in every run.
std::vector<int32_t> random_prompt(int64_t count, int64_t vocab_size) {
    Random random(1);
    std::vector<int32_t> ids(static_cast<size_t>(count));
    for (int32_t& id : ids)
        id = static_cast<int32_t>(random.next() % static_cast<uint64_t>(vocab_size));
    return ids;
}

Status bench(const Options& options) {
    LOCKSTEP_ASSIGN(const int64_t prompt_tokens, options.integer("prompt-tokens", 512, 1, 1 << 24));
    LOCKSTEP_ASSIGN(const int64_t tokens, options.integer("tokens", 128, 1, 1 << 24));
    LOCKSTEP_ASSIGN(const Engine::Options settings, engine_options(options));
    LoadOptions load;
    LOCKSTEP_ASSIGN(load.dtype, dtype_option(options));
    LOCKSTEP_ASSIGN(load.device, device_option(options));
    std::optional<UserKernel> own;  // in this process: that is what is measured
    if (const auto user = user_kernel_name(options.text("path"))) {
        LOCKSTEP_ASSIGN(own,
                        open_user_kernel_in_process(user->file, user->base, load.device->kind()));
    } else if (options.has("path")) {
        LOCKSTEP_TRY(path_option(options, ""));
    }
    load.context = prompt_tokens + tokens + 2;
    LOCKSTEP_ASSIGN(const std::shared_ptr<const Model> model, open_model(options, load));
    Device& device = *load.device;
    LOCKSTEP_ASSIGN(const std::unique_ptr<Session> session,
                    Session::create(model, device, settings.threads, load.context));

    std::vector<Measured> paths = wanted_paths(options, device.kind(), own ? &own->path : nullptr);
    Bench run(*session, random_prompt(prompt_tokens, model->config.vocab_size), tokens);
    LOCKSTEP_TRY(run.run(paths));

    const bool cpu = device.kind() == DeviceKind::cpu;
    const int threads = cpu ? cpu_stream(session->stream()).pool().threads() : 1;
    OrderedJson report = {{"device", device.name()},
                          {"threads", threads},
                          {"bandwidth_gb_s", run.bandwidth()},
                          {"model", model->name}};
    std::cout << device.name() << ", " << (cpu ? std::to_string(threads) + " threads, " : "")
              << std::fixed << std::setprecision(1) << run.bandwidth() << " GB/s read; "
              << model->name << '\n';
    for (const Measured& measured : paths) {
        OrderedJson json = figures(measured, *model, prompt_tokens, run);
        print(json);
        if (options.has("steps")) {
            LOCKSTEP_ASSIGN(const std::vector<PathWithout> steps, run.run_without_steps(measured));
            json["decode"]["steps"] = step_figures(steps, run.bandwidth());
            print_steps(json["decode"]["steps"]);
        }
        if (&measured == &paths.front()) {
            report.update(json);
        } else {
            report[measured.path->name] = std::move(json);
        }
    }
    return options.has("json") ? write_json(options.text("json"), report, 1) : Status();
}

}  // namespace

int run_bench(int argc, char** argv) {
    return run_word(bench_options(), argc, argv, bench);
}

}  // namespace lockstep::app
