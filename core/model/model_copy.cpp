// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/model_copy.h"

namespace lockstep {
namespace {

std::vector<Tensor*> tensors_of(Weights& weights) {
    std::vector<Tensor*> all{&weights.embed_tokens, &weights.norm};
    for (LayerWeights& layer : weights.layers) {
        all.insert(all.end(), {&layer.input_layernorm, &layer.q_proj, &layer.k_proj, &layer.v_proj,
                               &layer.q_bias, &layer.k_bias, &layer.v_bias, &layer.o_proj,
                               &layer.post_attention_layernorm, &layer.gate_proj, &layer.up_proj,
                               &layer.down_proj});
    }
    return all;
}

}  // namespace

Result<std::shared_ptr<Model>> copy_model(const Model& model, Device& device) {
    auto copy = std::make_shared<Model>();
    copy->name = model.name;
    copy->path = model.path;
    copy->source_format = model.source_format;
    copy->dtype = model.dtype;
    copy->device = &device;
    copy->config = model.config;
    copy->generation_defaults = model.generation_defaults;
    Weights& weights = copy->weights;
    weights.embed_tokens = model.weights.embed_tokens;
    weights.layers = model.weights.layers;
    weights.norm = model.weights.norm;
    weights.lm_head = model.weights.lm_head;
    const bool tied = weights.lm_head.data == weights.embed_tokens.data;
    const bool to_host = device.kind() == DeviceKind::cpu;
    Device& other = to_host ? device_of(model) : device;
    LOCKSTEP_ASSIGN(const std::unique_ptr<Stream> stream, other.make_stream(0));
    std::vector<Tensor*> tensors = tensors_of(weights);
    if (!tied) tensors.push_back(&weights.lm_head);
    for (Tensor* tensor : tensors) {
        if (!tensor->defined()) continue;
        const auto bytes = static_cast<size_t>(tensor->bytes());
        LOCKSTEP_ASSIGN(Buffer buffer, device.allocate(bytes));
        LOCKSTEP_TRY(to_host ? other.copy_to_host(buffer.data(), tensor->data, bytes, *stream)
                             : other.copy_from_host(buffer.data(), tensor->data, bytes, *stream));
        tensor->data = buffer.data();
        weights.buffers.push_back(std::move(buffer));
    }
    if (tied) weights.lm_head = weights.embed_tokens;
    LOCKSTEP_TRY(stream->synchronize());
    return copy;
}

}  // namespace lockstep
