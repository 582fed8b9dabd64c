// SPDX-License-Identifier: GPL-3.0-or-later
// How fast each step is on each path, as a share of the read bandwidth measured around the round.
// The steps of all layers run in the order of a forward pass, each layer with weights of its own,
// so that they come from memory as they do in a chat.
//   bench_steps [--model smollm2|qwen0.5b] [--rows 1] [--first-row 512] [--layers N] [--threads N]
//               [--paths fused,reference] [--dtype bf16|f16|f32] [--passes 10]
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/bandwidth.h"
#include "kernels/step_catalog.h"

using namespace lockstep;

namespace {

struct Model {
    StepShape shape;
    int layers;
};

Model model_named(const std::string& name) {
    StepShape s;
    if (name == "qwen0.5b") {
        s.hidden_size = 896, s.num_attention_heads = 14, s.num_key_value_heads = 2, s.head_dim = 64;
        s.intermediate_size = 4864, s.vocab_size = 151936, s.qkv_bias = true;
        return {s, 24};
    }
    s.hidden_size = 576, s.num_attention_heads = 9, s.num_key_value_heads = 3, s.head_dim = 64;
    s.intermediate_size = 1536, s.vocab_size = 49152;
    return {s, 30};
}

struct Options {
    std::map<std::string, std::string> values{
        {"--model", "smollm2"}, {"--rows", "1"},      {"--first-row", "512"}, {"--layers", "0"},
        {"--threads", "0"},     {"--paths", "fused"}, {"--dtype", "bf16"},    {"--passes", "10"}};

    const std::string& text(const std::string& name) const { return values.at(name); }
    int number(const std::string& name) const { return std::atoi(values.at(name).c_str()); }
};

// A layer's steps with the same activations, weights and cache of their own, in one buffer as the
// loader puts them.
template <class Args>
void own_weights(Args& args, char* memory, size_t& bytes) {
    for (const TensorField<Args>& field : Args::fields()) {
        Tensor& tensor = args.*field.member;
        if (field.role != Role::weight && field.role != Role::state) continue;
        if (memory)
            tensor.data =
                std::memcpy(memory + bytes, tensor.data, static_cast<size_t>(tensor.bytes()));
        bytes += (static_cast<size_t>(tensor.bytes()) + 63) / 64 * 64;
    }
}

struct Call {
    StepArgs args;
    std::vector<Buffer> buffers;
    std::map<std::string, double> best;  // seconds, by path
};

Result<std::vector<Call>> forward_pass(const Model& model, const SampleOptions& options) {
    const auto make = [&](StepId step, StepShape shape) -> Result<Call> {
        LOCKSTEP_ASSIGN(SampleStep sample, make_sample_step(step, shape, options));
        return Call{sample.args, std::move(sample.buffers), {}};
    };
    std::vector<Call> layer_0, all;
    for (StepId step :
         {StepId::qkv, StepId::attention, StepId::attn_output, StepId::gate_up, StepId::down}) {
        LOCKSTEP_ASSIGN(Call call, make(step, model.shape));
        layer_0.push_back(std::move(call));
    }
    LOCKSTEP_ASSIGN(Call embed, make(StepId::embed, model.shape));
    all.push_back(std::move(embed));
    for (int layer = 0; layer < model.layers; ++layer) {
        const size_t layer_begin = all.size();
        for (const Call& first : layer_0) all.push_back({first.args, {}, {}});
        Buffer buffer;
        for (const bool counting : {true, false}) {
            size_t bytes = 0;
            for (size_t i = layer_begin; i < all.size(); ++i) {
                std::visit(
                    [&](auto& args) {
                        own_weights(args, static_cast<char*>(buffer.data()), bytes);
                    },
                    all[i].args);
            }
            if (!counting) continue;
            LOCKSTEP_ASSIGN(buffer, cpu_device().allocate(bytes));
        }
        all.back().buffers.push_back(std::move(buffer));
    }
    StepShape last_row = model.shape;
    last_row.rows = 1;
    LOCKSTEP_ASSIGN(Call logits, make(StepId::logits, last_row));
    all.push_back(std::move(logits));
    for (Call& call : layer_0) {  // its activations are everyone's
        for (Buffer& buffer : call.buffers) all.front().buffers.push_back(std::move(buffer));
    }
    return all;
}

struct Pass {
    double seconds = 0;
    std::array<double, step_count> step_seconds{};
};

// One forward pass; each call's best time so far is kept.
Result<Pass> run_pass(std::vector<Call>& calls, const KernelPath& path, Stream& stream) {
    const auto now = [] { return std::chrono::steady_clock::now(); };
    Pass pass;
    const auto start = now();
    auto before = start;
    for (Call& call : calls) {
        LOCKSTEP_TRY(run_step(path, call.args, stream));
        const auto after = now();
        const double seconds = std::chrono::duration<double>(after - before).count();
        const auto [best, fresh] = call.best.try_emplace(path.name, seconds);
        if (!fresh) best->second = std::min(best->second, seconds);
        pass.step_seconds[static_cast<size_t>(step_id(call.args))] += seconds;
        before = now();
    }
    pass.seconds = std::chrono::duration<double>(before - start).count();
    return pass;
}

// The quickest pass of a round, and the bandwidth right before and after that round.
struct Round {
    Pass pass;
    double gb_s = 0;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Of the bandwidth, which drifts between rounds: the median of each round's own share.
template <class Seconds>
double share(const std::vector<Round>& rounds, double bytes, const Seconds& seconds) {
    std::vector<double> shares;
    for (const Round& round : rounds)
        shares.push_back(bytes / seconds(round.pass) * 1e-9 / round.gb_s);
    return median(std::move(shares));
}

void print_steps(const std::vector<Call>& calls, const std::string& path,
                 const std::vector<Round>& rounds) {
    std::printf("%-10s %-12s %9s %8s %7s %9s\n", "path", "step", "us", "GB/s", "share", "GFLOP/s");
    for (size_t id = 0; id < step_count; ++id) {
        double seconds = 0, bytes = 0, flops = 0;
        for (const Call& call : calls) {
            if (step_id(call.args) != static_cast<StepId>(id)) continue;
            seconds += call.best.at(path);
            bytes += static_cast<double>(step_bytes(call.args));
            flops += static_cast<double>(step_flops(call.args));
        }
        std::printf("%-10s %-12s %9.1f %8.1f %7.2f %9.1f\n", path.c_str(),
                    std::string(step_name(static_cast<StepId>(id))).c_str(), seconds * 1e6,
                    bytes / seconds * 1e-9,
                    share(rounds, bytes, [&](const Pass& pass) { return pass.step_seconds[id]; }),
                    flops / seconds * 1e-9);
    }
}

Result<Pass> run_round(std::vector<Call>& calls, const KernelPath& path, Stream& stream) {
    LOCKSTEP_ASSIGN(Pass quickest, run_pass(calls, path, stream));
    for (int again = 0; again < 2; ++again) {
        LOCKSTEP_ASSIGN(const Pass pass, run_pass(calls, path, stream));
        if (pass.seconds < quickest.seconds) quickest = pass;
    }
    return quickest;
}

int report(const Error& error) {
    std::fprintf(stderr, "bench_steps: %s\n", error.message.c_str());
    return 2;
}

Status bench(const Options& options) {
    Model model = model_named(options.text("--model"));
    if (options.number("--layers") > 0) model.layers = options.number("--layers");
    model.shape.rows = options.number("--rows");
    model.shape.first_row = options.number("--first-row");
    SampleOptions sample;
    sample.weight_dtype = dtype_from_name(options.text("--dtype")).value_or(DType::bf16);
    sample.activation_dtype = sample.weight_dtype;
    LOCKSTEP_ASSIGN(std::vector<Call> calls, forward_pass(model, sample));
    LOCKSTEP_ASSIGN(auto stream, cpu_device().make_stream(options.number("--threads")));

    std::vector<const KernelPath*> paths;
    for (const KernelPath& path : kernel_paths(DeviceKind::cpu)) {
        if (("," + options.text("--paths") + ",").find("," + path.name + ",") != std::string::npos)
            paths.push_back(&path);
    }
    // Paths and the bandwidth take turns, so that whatever else the machine does meets all of them.
    std::map<std::string, std::vector<Round>> rounds;
    std::vector<double> bandwidths;
    LOCKSTEP_ASSIGN(double before, measure_read_bandwidth(*stream, 3));
    for (int pass = 0; pass < options.number("--passes"); ++pass) {
        for (const KernelPath* path : paths) {
            LOCKSTEP_ASSIGN(const Pass quickest, run_round(calls, *path, *stream));
            rounds[path->name].push_back({quickest, 0});
        }
        LOCKSTEP_ASSIGN(const double after, measure_read_bandwidth(*stream, 3));
        for (auto& [path, of_path] : rounds) of_path.back().gb_s = (before + after) / 2;
        bandwidths.push_back(std::exchange(before, after));
    }
    std::printf("read bandwidth: best %.1f, median %.1f GB/s\n",
                *std::max_element(bandwidths.begin(), bandwidths.end()), median(bandwidths));
    double bytes = 0;
    for (const Call& call : calls) bytes += static_cast<double>(step_bytes(call.args));
    for (const auto& [path, of_path] : rounds) {
        std::vector<double> seconds;
        for (const Round& round : of_path) seconds.push_back(round.pass.seconds);
        print_steps(calls, path, of_path);
        const double best = *std::min_element(seconds.begin(), seconds.end());
        std::printf("%-10s pass: best %.2f ms, median %.2f ms; %.1f rows/s, %.2f of bandwidth\n",
                    path.c_str(), best * 1e3, median(seconds) * 1e3,
                    static_cast<double>(model.shape.rows) / best,
                    share(of_path, bytes, [](const Pass& pass) { return pass.seconds; }));
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const auto found = options.values.find(argv[i]);
        if (found == options.values.end())
            return report({ErrorKind::invalid_argument, std::string("unknown option ") + argv[i]});
        found->second = argv[i + 1];
    }
    const Status status = bench(options);
    return status ? 0 : report(status.error());
}
