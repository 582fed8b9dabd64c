// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/random_model.h"

#include <array>
#include <cmath>

#include "core/base/random.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

// Uniform in [middle - spread, middle + spread).
struct Distribution {
    double middle = 0, spread = 0;
};

class Maker {
  public:
    Maker(const RandomModelSpec& spec, DType dtype, Weights& weights)
        : spec_(spec), dtype_(dtype), weights_(weights) {}

    Status make() {
        const ModelConfig& config = spec_.config;
        const int64_t hidden = config.hidden_size, vocab = config.vocab_size;
        LOCKSTEP_ASSIGN(weights_.embed_tokens, drawn(0, {0, 1.5}, {vocab, hidden}));
        LOCKSTEP_ASSIGN(weights_.norm, drawn(1, norm, {hidden}));
        weights_.lm_head = weights_.embed_tokens;
        if (!config.tie_word_embeddings) {
            LOCKSTEP_ASSIGN(weights_.lm_head, drawn(2, {0, 2 * spread(hidden)}, {vocab, hidden}));
        }
        weights_.layers.resize(static_cast<size_t>(config.num_hidden_layers));
        for (size_t layer = 0; layer < weights_.layers.size(); ++layer)
            LOCKSTEP_TRY(make_layer(16 * (layer + 1), weights_.layers[layer]));
        return {};
    }

  private:
    static constexpr Distribution norm{1, 0.3}, bias{0, 1};

    // What keeps the size of a row of so many inputs.
    static double spread(int64_t columns) { return std::sqrt(3.0 / static_cast<double>(columns)); }

    Status make_layer(uint64_t number, LayerWeights& layer) {
        const ModelConfig& config = spec_.config;
        const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
        const int64_t q = config.num_attention_heads * config.head_dim;
        const int64_t kv = config.num_key_value_heads * config.head_dim;
        const auto matrix = [&](int64_t rows, int64_t columns) {
            return drawn(number++, {0, spread(columns)}, {rows, columns});
        };
        const auto optional_bias = [&](int64_t rows) {
            return config.qkv_bias ? drawn(number++, bias, {rows}) : (++number, Result<Tensor>());
        };
        LOCKSTEP_ASSIGN(layer.input_layernorm, drawn(number++, norm, {hidden}));
        LOCKSTEP_ASSIGN(layer.q_proj, matrix(q, hidden));
        LOCKSTEP_ASSIGN(layer.k_proj, matrix(kv, hidden));
        LOCKSTEP_ASSIGN(layer.v_proj, matrix(kv, hidden));
        LOCKSTEP_ASSIGN(layer.q_bias, optional_bias(q));
        LOCKSTEP_ASSIGN(layer.k_bias, optional_bias(kv));
        LOCKSTEP_ASSIGN(layer.v_bias, optional_bias(kv));
        LOCKSTEP_ASSIGN(layer.o_proj, matrix(hidden, q));
        LOCKSTEP_ASSIGN(layer.post_attention_layernorm, drawn(number++, norm, {hidden}));
        LOCKSTEP_ASSIGN(layer.gate_proj, matrix(inner, hidden));
        LOCKSTEP_ASSIGN(layer.up_proj, matrix(inner, hidden));
        LOCKSTEP_ASSIGN(layer.down_proj, matrix(hidden, inner));
        return {};
    }

    // Each tensor from a generator of its own: one more tensor changes no other.
    Result<Tensor> drawn(uint64_t number, const Distribution& from,
                         std::initializer_list<int64_t> shape) {
        Tensor tensor(nullptr, dtype_, shape);
        LOCKSTEP_ASSIGN(Buffer buffer, cpu_device().allocate(static_cast<size_t>(tensor.bytes())));
        tensor.data = buffer.data();
        weights_.buffers.push_back(std::move(buffer));
        Random random(spec_.seed * 1000 + number);
        std::array<float, 1024> values;
        for (int64_t first = 0; first < tensor.numel(); first += values.size()) {
            const int64_t count =
                std::min<int64_t>(static_cast<int64_t>(values.size()), tensor.numel() - first);
            for (int64_t i = 0; i < count; ++i) {
                const double unit = static_cast<double>(random.next() >> 40) / 0x1p24;
                values[static_cast<size_t>(i)] =
                    static_cast<float>(from.middle + (2 * unit - 1) * from.spread);
            }
            round_in_place(values.data(), count, DType::bf16);
            narrow(values.data(), count, dtype_, tensor.as<char>() + dtype_bytes(dtype_, first));
        }
        return tensor;
    }

    const RandomModelSpec& spec_;
    DType dtype_;
    Weights& weights_;
};

}  // namespace

Result<std::shared_ptr<Model>> make_random_model(const RandomModelSpec& spec, DType dtype) {
    auto model = std::make_shared<Model>();
    model->name = spec.name;
    model->source_format = "random";
    model->dtype = dtype;
    model->config = spec.config;
    LOCKSTEP_TRY(Maker(spec, dtype, model->weights).make());
    return model;
}

}  // namespace lockstep
