// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/inspect/dense_runs.h"
#include "core/inspect/fault_call.h"
#include "kernels/cpu/rounding.h"
#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

// The path's step with the fault in one layer.
template <class Args>
StepFunction<Args> planted(StepFunction<Args> honest, FaultAct<Args> act,
                           std::shared_ptr<FaultState> state) {
    return [honest = std::move(honest), act, state = std::move(state)](const Args& args,
                                                                       Stream& stream) -> Status {
        if (args.context.layer != state->layer) return honest(args, stream);
        const std::lock_guard<std::mutex> one_at_a_time(state->mutex);
        FaultCall<Args> call{args, honest, *state, stream};
        LOCKSTEP_TRY(act(call));
        ++state->calls;
        // What the fault made is its own memory and may be made anew by the next call.
        return stream.synchronize();
    };
}

template <class Args>
Status plant(KernelPath& path, StepFunction<Args> KernelPath::*entry,
             std::span<const NamedAct<Args>> acts, const std::shared_ptr<FaultState>& state,
             std::string_view name) {
    if (!(path.*entry)) {
        return fail(ErrorKind::invalid_argument,
                    "path " + path.name + " has no step " + std::string(step_name(Args::id)));
    }
    const auto found = std::find_if(acts.begin(), acts.end(),
                                    [&](const NamedAct<Args>& act) { return act.name == name; });
    if (found == acts.end())
        return fail(ErrorKind::internal, std::string(name) + " is listed but can't be planted");
    path.*entry = planted<Args>(std::move(path.*entry), found->act, state);
    return {};
}

Status plant_in_step(KernelPath& path, const FaultInfo& fault,
                     const std::shared_ptr<FaultState>& state) {
    switch (fault.step) {
        case StepId::embed:
            return plant(path, &KernelPath::embed, embed_faults(), state, fault.name);
        case StepId::qkv:
            return plant(path, &KernelPath::qkv, qkv_faults(), state, fault.name);
        case StepId::attention:
            return plant(path, &KernelPath::attention, attention_faults(), state, fault.name);
        case StepId::attn_output:
            return plant(path, &KernelPath::attn_output, attn_output_faults(), state, fault.name);
        case StepId::gate_up:
            return plant(path, &KernelPath::gate_up, gate_up_faults(), state, fault.name);
        case StepId::down:
            return plant(path, &KernelPath::down, down_faults(), state, fault.name);
        case StepId::logits:
            return plant(path, &KernelPath::logits, logits_faults(), state, fault.name);
    }
    return {};
}

std::vector<float> rope_angles(const ModelConfig& config, int64_t rows, int64_t offset) {
    const std::vector<float> inv_freq = rope_inv_freq(config);
    std::vector<float> angles;
    for (int64_t position = offset; position < offset + rows; ++position) {
        for (const float frequency : inv_freq)
            angles.push_back(static_cast<float>(position) * frequency);
    }
    return angles;
}

}  // namespace

Result<HostTensor> read_tensor(const Tensor& from, Stream& stream) {
    HostTensor host;
    host.rows = from.shape[0];
    host.columns = host.rows > 0 ? from.numel() / host.rows : 0;
    host.values.resize(static_cast<size_t>(from.numel()));
    std::vector<std::byte> bytes(static_cast<size_t>(from.bytes()));
    LOCKSTEP_TRY(for_each_dense_run(from, [&](int64_t offset, int64_t index, int64_t count) {
        return stream.device().copy_to_host(bytes.data() + dtype_bytes(from.dtype, index),
                                            from.as<const char>() + dtype_bytes(from.dtype, offset),
                                            static_cast<size_t>(dtype_bytes(from.dtype, count)),
                                            stream);
    }));
    LOCKSTEP_TRY(stream.synchronize());
    widen(bytes.data(), from.dtype, from.numel(), host.values.data());
    return host;
}

Status write_tensor(const HostTensor& values, const Tensor& to, Stream& stream) {
    std::vector<std::byte> bytes(static_cast<size_t>(to.bytes()));
    narrow(values.values.data(), to.numel(), to.dtype, bytes.data());
    LOCKSTEP_TRY(for_each_dense_run(to, [&](int64_t offset, int64_t index, int64_t count) {
        return stream.device().copy_from_host(to.as<char>() + dtype_bytes(to.dtype, offset),
                                              bytes.data() + dtype_bytes(to.dtype, index),
                                              static_cast<size_t>(dtype_bytes(to.dtype, count)),
                                              stream);
    }));
    return stream.synchronize();
}

Result<Tensor> FaultState::room(std::string_view name, Tensor shape, Stream& stream) {
    int64_t step = 1;
    for (int d = shape.rank - 1; d >= 0; --d) {
        shape.stride[d] = step;
        step *= shape.shape[d];
    }
    Buffer& buffer = buffers_[std::string(name)];
    const auto bytes = static_cast<size_t>(shape.bytes());
    if (buffer.bytes() < bytes || buffer.device() != &stream.device()) {
        LOCKSTEP_ASSIGN(buffer, stream.device().allocate(std::max<size_t>(bytes, 64)));
        made_from_.erase(std::string(name));
        rope_rows_ = 0;
    }
    shape.data = buffer.data();
    return shape;
}

Result<FaultState::RopeTables> FaultState::rope_tables(const ModelConfig& config, int64_t rows,
                                                       int64_t offset, Stream& stream) {
    const Tensor shape(nullptr, DType::f32, {rows, config.head_dim / 2});
    RopeTables tables;
    LOCKSTEP_ASSIGN(tables.cos, room("rope_cos", shape, stream));
    LOCKSTEP_ASSIGN(tables.sin, room("rope_sin", shape, stream));
    if (rope_rows_ == rows) return tables;
    HostTensor values{rope_angles(config, rows, offset), rows, shape.shape[1]};
    const std::vector<float> angles = values.values;
    std::transform(angles.begin(), angles.end(), values.values.begin(),
                   [](float angle) { return std::cos(angle); });
    LOCKSTEP_TRY(write_tensor(values, tables.cos, stream));
    std::transform(angles.begin(), angles.end(), values.values.begin(),
                   [](float angle) { return std::sin(angle); });
    LOCKSTEP_TRY(write_tensor(values, tables.sin, stream));
    rope_rows_ = rows;
    return tables;
}

bool FaultState::is_model_weight(const Tensor& tensor) const {
    if (layer < 0 || layer >= model->config.num_hidden_layers)
        return tensor.data == model->weights.norm.data;
    const LayerWeights& own = model->weights.layers[static_cast<size_t>(layer)];
    const Tensor* const all[] = {&own.input_layernorm, &own.q_proj,
                                 &own.k_proj,          &own.v_proj,
                                 &own.q_bias,          &own.k_bias,
                                 &own.v_bias,          &own.o_proj,
                                 &own.gate_proj,       &own.post_attention_layernorm,
                                 &own.down_proj,       &own.up_proj};
    return std::any_of(std::begin(all), std::end(all),
                       [&](const Tensor* weight) { return weight->data == tensor.data; });
}

Result<KernelPath> plant_fault(const KernelPath& base, const FaultSpec& fault,
                               std::shared_ptr<const Model> model) {
    const auto layers = static_cast<int>(model->config.num_hidden_layers);
    LOCKSTEP_ASSIGN(const FaultSpec checked,
                    parse_fault(fault.name + "@layer=" + std::to_string(fault.layer), layers));
    const FaultInfo& known = *find_fault(checked.name);
    if (model->weights.layers.empty())
        return fail(ErrorKind::invalid_argument, model->name + " was loaded without its weights");
    if (const std::string why = fault_without_effect(known, model->config); !why.empty()) {
        return fail(ErrorKind::invalid_argument,
                    checked.name + " has no effect in " + model->name + ": " + why);
    }
    KernelPath path = base;
    path.name += " with " + fault_text(checked);
    path.replayable = 0;  // a fault's state changes from call to call
    const auto state = std::make_shared<FaultState>(std::move(model), checked.layer);
    LOCKSTEP_TRY(plant_in_step(path, known, state));
    return path;
}

}  // namespace lockstep
