// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/kernels/step_examiner.h"

#include <cstring>
#include <sstream>

#include "core/inspect/verdict.h"
#include "kernels/step_transfer.h"

namespace lockstep {
namespace {

std::unique_ptr<Stream> stream_of(Device& device, int threads) {
    return std::move(*device.make_stream(threads));
}

bool is_unfused(const KernelPath& path, StepId step) {
    return (path.writes_unfused_outputs >> static_cast<int>(step)) & 1;
}

using Memory = std::vector<std::vector<char>>;

Memory snapshot(const std::vector<Buffer>& buffers) {
    Memory memory;
    for (const Buffer& buffer : buffers) {
        const char* data = static_cast<const char*>(buffer.data());
        memory.emplace_back(data, data + buffer.bytes());
    }
    return memory;
}

// Offsets in bytes of a tensor's rows of its last dimension.
template <class Visit>
void for_rows(const Tensor& tensor, const Visit& visit) {
    const int64_t columns = tensor.shape[tensor.rank - 1];
    for (int64_t first = 0; first < tensor.numel(); first += columns) {
        int64_t offset = 0;
        int64_t index = first / columns;
        for (int d = tensor.rank - 2; d >= 0; --d) {
            offset += index % tensor.shape[d] * tensor.stride[d];
            index /= tensor.shape[d];
        }
        visit(tensor.as<char>() + dtype_bytes(tensor.dtype, offset),
              static_cast<size_t>(dtype_bytes(tensor.dtype, columns)));
    }
}

// Whether anything but the step's own outputs has changed: those are put back first. An unfused
// output may be written by any path.
std::string stray_writes(const SampleStep& sample, Memory before) {
    for (const NamedTensor& tap : step_taps(sample.args, true)) {
        for (size_t b = 0; b < before.size(); ++b) {
            char* base = static_cast<char*>(sample.buffers[b].data());
            for_rows(tap.tensor, [&](char* row, size_t bytes) {
                if (row < base || row >= base + before[b].size()) return;
                std::memcpy(before[b].data() + (row - base), row, bytes);
            });
        }
    }
    const Memory after = snapshot(sample.buffers);
    if (after == before) return {};
    return "it writes outside its outputs";
}

std::string run_on(const KernelPath& path, const StepArgs& args, Stream& stream) {
    const Status status = run_step_from_host(path, args, OnHost::everything, stream);
    return status ? "" : "path " + path.name + ": " + status.error().message;
}

// oneDNN's product of a single row does not give the same bits each time on every processor: one
// sum in a hundred may be off by a last place of f32, which now and then shows after rounding.
bool nearly_equal(const SampleStep& one, const SampleStep& two) {
    const auto first = step_taps(one.args, true), second = step_taps(two.args, true);
    for (size_t i = 0; i < first.size(); ++i) {
        const ErrorFigures apart = compare_tensors(first[i].tensor, second[i].tensor);
        if (apart.non_finite || apart.max_ulp > 1 || apart.cosine < 1 - 1e-6) return false;
        int64_t differing = 0;
        for (int64_t e = 0; e < first[i].tensor.numel(); ++e)
            differing += element(first[i].tensor, e) != element(second[i].tensor, e);
        if (differing * 50 > first[i].tensor.numel()) return false;
    }
    return true;
}

}  // namespace

StepExaminer::StepExaminer(Device& device)
    : truth_(*find_kernel_path(DeviceKind::cpu, "truth")),
      reference_(*find_kernel_path(DeviceKind::cpu, "reference")),
      own_reference_(*find_kernel_path(device.kind(), "reference")),
      cpu_(stream_of(cpu_device(), device.kind() == DeviceKind::cpu ? 2 : 0)),
      stream_(stream_of(device, 2)),
      other_stream_(stream_of(device, 1)) {}

std::string StepExaminer::examine(const KernelPath& path, StepId step, const StepShape& shape,
                                  const SampleOptions& options) {
    SampleOptions given = options;
    // The reference, which measures the noise, has weights and activations of one dtype.
    if (path.f32_activations) given.weight_dtype = given.activation_dtype = DType::f32;
    Result<SampleStep> sample = make_sample_step(step, shape, given);
    if (!sample) return "no sample: " + sample.error().message;
    const Memory before = snapshot(sample->buffers);
    std::string problem = run_on(path, sample->args, *stream_);
    if (problem.empty()) problem = stray_writes(*sample, before);
    if (problem.empty()) {
        problem =
            judge_taps(sample->args, is_unfused(path, step), sample->args, given.activation_dtype);
    }
    if (problem.empty()) problem = compare_threads(path, sample->args, given.activation_dtype);
    return problem;
}

// What qkv appended lies in the caches beyond first_row: no input of its own, so the call can be
// given to others as it is.
std::string StepExaminer::judge_taps(const StepArgs& candidate, bool unfused, const StepArgs& given,
                                     DType dtype) {
    const Result<SampleStep> exact = clone_step(given, DType::f32);
    const Result<SampleStep> usual = clone_step(given, dtype);
    if (!exact || !usual) return "no clone";
    std::string problem = run_on(truth_, exact->args, *cpu_);
    if (problem.empty()) {
        problem = dtype == DType::f32 ? run_on(own_reference_, usual->args, *other_stream_)
                                      : run_on(reference_, usual->args, *cpu_);
    }
    if (!problem.empty()) return problem;
    const std::vector<NamedTensor> truths = step_taps(exact->args, unfused);
    const std::vector<NamedTensor> floors = step_taps(usual->args, unfused);
    const std::vector<NamedTensor> taps = step_taps(candidate, unfused);
    for (size_t i = 0; i < taps.size(); ++i) {
        const Verdict verdict = judge(taps[i].tensor, floors[i].tensor, truths[i].tensor, dtype);
        if (verdict.diverged) {
            return std::string(taps[i].name) + ", " + verdict.part + ": " + verdict.reason;
        }
    }
    return {};
}

std::string StepExaminer::compare_threads(const KernelPath& path, const StepArgs& given,
                                          DType dtype) {
    const Result<SampleStep> one = clone_step(given, dtype);
    const Result<SampleStep> two = clone_step(given, dtype);
    if (!one || !two) return "no clone";
    std::string problem = run_on(path, one->args, *other_stream_);
    if (problem.empty()) problem = run_on(path, two->args, *stream_);
    if (!problem.empty()) return problem;
    if (snapshot(one->buffers) == snapshot(two->buffers)) return {};
    if (path.name == "reference" && path.device == DeviceKind::cpu && nearly_equal(*one, *two))
        return {};
    return "two runs give different bits";
}

std::string description(StepId step, const StepShape& shape, const SampleOptions& options) {
    std::ostringstream text;
    text << step_name(step) << " T=" << shape.rows << " first_row=" << shape.first_row
         << " H=" << shape.hidden_size << " A=" << shape.num_attention_heads
         << " G=" << shape.num_key_value_heads << " D=" << shape.head_dim
         << " I=" << shape.intermediate_size << " V=" << shape.vocab_size
         << (shape.qkv_bias ? " bias" : "") << " weights " << dtype_info(options.weight_dtype).name
         << " activations " << dtype_info(options.activation_dtype).name
         << (options.strided ? " strided" : "") << " seed " << options.seed;
    return text.str();
}

}  // namespace lockstep
