// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/diagnosis_cases.h"

#include <algorithm>

namespace lockstep::test {

namespace {

// The faulty step where the cache holds rows already, the honest one before.
template <class Args>
void only_in_decode(StepFunction<Args> KernelPath::*step, const KernelPath& honest,
                    KernelPath& wrong) {
    wrong.*step = [right = honest.*step, faulty = wrong.*step](const Args& args, Stream& stream) {
        return args.context.first_row > 0 ? faulty(args, stream) : right(args, stream);
    };
}

void all_only_in_decode(const KernelPath& honest, KernelPath& wrong) {
    only_in_decode(&KernelPath::embed, honest, wrong);
    only_in_decode(&KernelPath::qkv, honest, wrong);
    only_in_decode(&KernelPath::attention, honest, wrong);
    only_in_decode(&KernelPath::attn_output, honest, wrong);
    only_in_decode(&KernelPath::gate_up, honest, wrong);
    only_in_decode(&KernelPath::down, honest, wrong);
    only_in_decode(&KernelPath::logits, honest, wrong);
}

}  // namespace

std::vector<int32_t> spread_ids(size_t count, int64_t vocab_size) {
    std::vector<int32_t> ids(count);
    for (size_t i = 0; i < count; ++i)
        ids[i] = static_cast<int32_t>((i * 37 + 11) % static_cast<size_t>(vocab_size));
    return ids;
}

Result<Inspection> inspect_path(const std::shared_ptr<const Model>& model,
                                const KernelPath& candidate, size_t tokens, int decode_steps) {
    CompareRequest request;
    request.model = model;
    request.threads = 2;
    request.prompts = {spread_ids(tokens, model->config.vocab_size)};
    request.decode_steps = decode_steps;
    request.candidate = candidate;
    request.reference = request.floor = *find_kernel_path(DeviceKind::cpu, "reference");
    request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
    return inspect(request);
}

Result<Inspection> inspect_fault(const std::shared_ptr<const Model>& model, const char* base,
                                 const FaultSpec& fault, size_t tokens, int decode_steps) {
    const KernelPath& honest = *find_kernel_path(DeviceKind::cpu, base);
    LOCKSTEP_ASSIGN(KernelPath path, plant_fault(honest, fault, model));
    if (decode_steps > 0) all_only_in_decode(honest, path);
    return inspect_path(model, path, tokens, decode_steps);
}

bool names(const Diagnosis& diagnosis, const std::string& cause) {
    return std::any_of(diagnosis.causes.begin(), diagnosis.causes.end(), [&](const Cause& each) {
        return each.cause == cause && each.confidence != "none";
    });
}

std::string told(const Diagnosis& diagnosis) {
    std::string text;
    for (const Cause& cause : diagnosis.causes)
        text += cause.cause + " (" + cause.confidence + ", explained " +
                std::to_string(cause.explained) + "): " + cause.what + " | " + cause.evidence +
                "\n";
    for (size_t i = 0; i < diagnosis.excluded.size() && i < 3; ++i)
        text += "  excluded " + diagnosis.excluded[i].cause + " " +
                std::to_string(diagnosis.excluded[i].explained) + "\n";
    return text;
}

}  // namespace lockstep::test
