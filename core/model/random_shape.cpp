// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/random_shape.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/model/weight_plan.h"

namespace lockstep {
namespace {

struct Shape {
    std::string_view name;
    int64_t hidden, intermediate, layers, heads, groups, head_dim, vocab;
    bool qwen2, tied;
};

// As their config.json files have them.
constexpr std::array<Shape, 4> shapes{{
    {"qwen2.5-0.5b", 896, 4864, 24, 14, 2, 64, 151936, true, true},
    {"llama-3.2-1b", 2048, 8192, 16, 32, 8, 64, 128256, false, true},
    {"qwen2.5-1.5b", 1536, 8960, 28, 12, 2, 128, 151936, true, true},
    {"qwen2.5-7b", 3584, 18944, 28, 28, 4, 128, 152064, true, false},
}};

ModelConfig config_of(const Shape& shape) {
    ModelConfig config;
    config.architecture = shape.qwen2 ? Architecture::qwen2 : Architecture::llama;
    config.hidden_size = shape.hidden;
    config.intermediate_size = shape.intermediate;
    config.num_hidden_layers = shape.layers;
    config.num_attention_heads = shape.heads;
    config.num_key_value_heads = shape.groups;
    config.head_dim = shape.head_dim;
    config.vocab_size = shape.vocab;
    config.max_position_embeddings = 32768;
    config.rms_norm_eps = shape.qwen2 ? 1e-6f : 1e-5f;
    config.rope_theta = shape.qwen2 ? 1e6 : 5e5;
    config.tie_word_embeddings = shape.tied;
    config.qkv_bias = shape.qwen2;
    return config;
}

// Uniform values in [middle - spread, middle + spread), of a length that divides no row.
std::vector<std::byte> pattern(DType dtype, float middle, float spread) {
    constexpr int64_t length = 1048573;
    std::vector<std::byte> values(static_cast<size_t>(dtype_bytes(dtype, length)));
    uint64_t state = 1;
    for (int64_t i = 0; i < length; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const float unit = static_cast<float>(state >> 40) / 16777216.0f;
        store_element(values.data(), dtype, i, middle + (2 * unit - 1) * spread);
    }
    return values;
}

// What keeps the size of a row of so many inputs; norms near 1.
std::vector<std::byte> pattern_for(const WeightSlot& slot, DType dtype) {
    if (slot.name.ends_with("norm.weight")) return pattern(dtype, 1, 0.3f);
    if (slot.shape.size() == 1) return pattern(dtype, 0, 0.5f);
    return pattern(dtype, 0, std::sqrt(3.0f / static_cast<float>(slot.shape[1])));
}

Status fill(const WeightSlot& slot, DType dtype, Device& device, Stream& stream, void* memory) {
    const std::vector<std::byte> values = pattern_for(slot, dtype);
    const auto bytes = static_cast<size_t>(slot.tensor->bytes());
    for (size_t done = 0; done < bytes; done += values.size()) {
        LOCKSTEP_TRY(device.copy_from_host(static_cast<std::byte*>(memory) + done, values.data(),
                                           std::min(values.size(), bytes - done), stream));
    }
    return stream.synchronize();
}

void bind(const WeightSlot& slot, DType dtype, void* memory) {
    *slot.tensor = slot.shape.size() > 1 ? Tensor(memory, dtype, {slot.shape[0], slot.shape[1]})
                                         : Tensor(memory, dtype, {slot.shape[0]});
}

}  // namespace

std::string random_shape_names() {
    std::string names;
    for (const Shape& shape : shapes)
        names += (names.empty() ? "" : ", ") + std::string(shape.name);
    return names;
}

Result<std::shared_ptr<const Model>> make_random_shape(std::string_view name, DType dtype,
                                                       Device& device) {
    const auto shape = std::find_if(shapes.begin(), shapes.end(),
                                    [&](const Shape& known) { return known.name == name; });
    if (shape == shapes.end()) {
        return fail(ErrorKind::invalid_argument, "no shape is named \"" + std::string(name) +
                                                     "\"; there are: " + random_shape_names());
    }
    auto model = std::make_shared<Model>();
    model->name = "random weights of the shape of " + std::string(name);
    model->source_format = "random";
    model->dtype = dtype;
    model->device = &device;
    model->config = config_of(*shape);
    Weights& weights = model->weights;
    LOCKSTEP_ASSIGN(const std::unique_ptr<Stream> stream, device.make_stream(0));
    for (const WeightGroup& group : plan_weights(model->config, dtype, weights)) {
        LOCKSTEP_ASSIGN(Buffer buffer, device.allocate(group.bytes));
        for (const WeightSlot& slot : group.slots) {
            void* const memory = static_cast<std::byte*>(buffer.data()) + slot.offset;
            bind(slot, dtype, memory);
            LOCKSTEP_TRY(fill(slot, dtype, device, *stream, memory));
        }
        weights.buffers.push_back(std::move(buffer));
    }
    if (shape->tied) weights.lm_head = weights.embed_tokens;
    return model;
}

}  // namespace lockstep
