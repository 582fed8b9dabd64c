// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/run/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace lockstep {
namespace {

// Multiplications and additions that a step may take at a time, so that a stop which comes during
// it waits for some 20 ms at the most. Truth's plain loops are slower than the other paths'
// products.
constexpr int64_t truth_step_flops = 40'000'000;
constexpr int64_t step_flops_budget = 2'000'000'000;
constexpr int64_t largest_batch = 512;
// A GPU is a few hundred times faster, and wants many rows to be so.
constexpr int64_t gpu_truth_step_flops = 400'000'000'000;
constexpr int64_t gpu_step_flops_budget = 4'000'000'000'000;
constexpr int64_t gpu_largest_batch = 2048;

// Fresh pages are zeroed by the kernel when they are first written: 60 MB, 300 rows of SmolLM2's
// logits, in 15 ms, and in up to 300 where the machine itself gets them afresh. A product's first
// panel writes to every row: backed within it, they would keep a waiting stop.
void touch_pages(const Buffer& buffer, const std::atomic<bool>* stop) {
    constexpr size_t look_at_stop_every = 2 << 20;
    auto* const bytes = static_cast<char*>(buffer.data());
    for (size_t done = 0; done < buffer.bytes(); done += look_at_stop_every) {
        if (stop && stop->load(std::memory_order_relaxed)) return;
        std::memset(bytes + done, 0, std::min(look_at_stop_every, buffer.bytes() - done));
    }
}

// The step that takes longest: gate_up, or attention where much is in the cache.
int64_t flops_per_row(const ModelConfig& config, int64_t position) {
    const int64_t gate_up = 4 * config.hidden_size * config.intermediate_size;
    const int64_t attention = 4 * config.num_attention_heads * config.head_dim * (position + 1);
    return std::max<int64_t>(1, std::max(gate_up, attention));
}

int64_t rows_within(bool truth, const Device& device, const ModelConfig& config, int64_t position) {
    const bool cpu = device.kind() == DeviceKind::cpu;
    const int64_t flops = truth ? (cpu ? truth_step_flops : gpu_truth_step_flops)
                                : (cpu ? step_flops_budget : gpu_step_flops_budget);
    const int64_t rows = std::clamp<int64_t>(flops / flops_per_row(config, position), 1,
                                             cpu ? largest_batch : gpu_largest_batch);
    return rows < 16 ? rows : rows / 16 * 16;
}

// Places tensors one after the other in a block of memory, each on its own cache lines. With no
// block it counts the bytes that one must have.
class Arena {
  public:
    explicit Arena(void* base) : base_(reinterpret_cast<uintptr_t>(base)) {}
    Tensor place(DType dtype, std::initializer_list<int64_t> shape) {
        Tensor tensor(reinterpret_cast<void*>(base_ + bytes_), dtype, shape);
        bytes_ += (static_cast<size_t>(tensor.bytes()) + 63) / 64 * 64;
        return tensor;
    }
    size_t bytes() const { return bytes_; }

  private:
    uintptr_t base_;
    size_t bytes_ = 0;
};

// place(arena) is called twice: to count, then to give out.
template <class Place>
Status allocate_placed(Device& device, Buffer& buffer, const Place& place) {
    Arena counting(nullptr);
    place(counting);
    LOCKSTEP_ASSIGN(buffer, device.allocate(counting.bytes()));
    Arena arena(buffer.data());
    place(arena);
    return {};
}

void convert_elements(const void* from, DType from_dtype, void* to, DType to_dtype, int64_t count) {
    if (from_dtype == DType::bf16 && to_dtype == DType::f32) {
        std::transform(static_cast<const uint16_t*>(from),
                       static_cast<const uint16_t*>(from) + count, static_cast<float*>(to),
                       float_from_bf16);
    } else if (from_dtype == DType::f32 && to_dtype == DType::bf16) {
        std::transform(static_cast<const float*>(from), static_cast<const float*>(from) + count,
                       static_cast<uint16_t*>(to), bf16_from_float);
    } else {
        for (int64_t i = 0; i < count; ++i)
            store_element(to, to_dtype, i, load_element(from, from_dtype, i));
    }
}

}  // namespace

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Model> model, Device& device,
                                                 int threads, int64_t context) {
    const ModelConfig& config = model->config;
    if (model->weights.layers.empty())
        return fail(ErrorKind::invalid_argument, model->name + " was loaded without its weights");
    if (device_of(*model).kind() != device.kind()) {
        return fail(ErrorKind::invalid_argument, "the weights of " + model->name + " lie on " +
                                                     device_of(*model).name() + ", not on " +
                                                     device.name());
    }
    if (context < 1 || context > config.max_position_embeddings) {
        return fail(ErrorKind::invalid_argument,
                    "a context of " + std::to_string(context) +
                        " tokens is not possible: " + model->name + " allows 1 to " +
                        std::to_string(config.max_position_embeddings));
    }
    std::unique_ptr<Session> session(new Session());
    session->model_ = std::move(model);
    session->context_ = context;
    session->max_batch_ = std::min(context, rows_within(false, device, config, 0));
    session->tokens_.reserve(static_cast<size_t>(context));
    LOCKSTEP_ASSIGN(session->stream_, device.make_stream(threads));
    LOCKSTEP_TRY(session->make_constants());
    LOCKSTEP_TRY(session->make_activations(session->model_->dtype));
    LOCKSTEP_ASSIGN(session->cache_, session->make_cache(session->model_->dtype));
    LOCKSTEP_TRY(session->logits(1));
    return session;
}

int64_t Session::batch_rows(const KernelPath& path) const {
    const auto position = static_cast<int64_t>(tokens_.size());
    return std::min(max_batch_,
                    rows_within(path.f32_activations, device(), model_->config, position));
}

int64_t Session::keep_common_prefix(std::span<const int32_t> tokens) {
    const size_t most = tokens.empty() ? 0 : tokens.size() - 1;
    const size_t length = std::min(most, tokens_.size());
    const auto parted = std::mismatch(
        tokens_.begin(), tokens_.begin() + static_cast<int64_t>(length), tokens.begin());
    const int64_t common = parted.first - tokens_.begin();
    truncate(common);
    return common;
}

void Session::truncate(int64_t rows) {
    if (rows < static_cast<int64_t>(tokens_.size()))
        tokens_.resize(static_cast<size_t>(std::max<int64_t>(rows, 0)));
}

Status Session::set_activation_dtype(DType dtype) {
    if (dtype == activation_dtype_) return {};
    LOCKSTEP_ASSIGN(Cache converted, make_cache(dtype));
    LOCKSTEP_TRY(copy_cache(cache_, converted));
    LOCKSTEP_TRY(make_activations(dtype));
    stream_->forget_replays();
    cache_ = std::move(converted);
    return {};
}

// cos and sin of position x inv_freq, in float32 and rounded as transformers' rotary embedding has
// it.
Status Session::make_constants() {
    const int64_t half = model_->config.head_dim / 2;
    LOCKSTEP_TRY(allocate_placed(device(), constant_buffer_, [&](Arena& arena) {
        rope_cos_ = arena.place(DType::f32, {context_, half});
        rope_sin_ = arena.place(DType::f32, {context_, half});
        const Tensor inputs = arena.place(DType::i32, {1 + max_batch_});
        position_ = inputs.rows(0, 1);
        ids_ = inputs.rows(1, max_batch_);
    }));
    inputs_.reserve(static_cast<size_t>(1 + max_batch_));
    const std::vector<float> inv_freq = rope_inv_freq(model_->config);
    std::vector<float> cos, sin;
    cos.reserve(static_cast<size_t>(context_ * half));
    sin.reserve(static_cast<size_t>(context_ * half));
    for (int64_t position = 0; position < context_; ++position) {
        for (const float frequency : inv_freq) {
            const float angle = static_cast<float>(position) * frequency;
            cos.push_back(std::cos(angle));
            sin.push_back(std::sin(angle));
        }
    }
    LOCKSTEP_TRY(
        device().copy_from_host(rope_cos_.data, cos.data(), cos.size() * sizeof(float), *stream_));
    LOCKSTEP_TRY(
        device().copy_from_host(rope_sin_.data, sin.data(), sin.size() * sizeof(float), *stream_));
    return stream_->synchronize();
}

Status Session::copy_inputs(int32_t position, std::span<const int32_t> tokens) {
    inputs_.assign(1, position);
    inputs_.insert(inputs_.end(), tokens.begin(), tokens.end());
    return device().copy_from_host(position_.data, inputs_.data(), inputs_.size() * sizeof(int32_t),
                                   *stream_);
}

Status Session::make_activations(DType dtype) {
    const ModelConfig& config = model_->config;
    const int64_t rows = max_batch_, heads = config.num_attention_heads, dim = config.head_dim;
    Activations made;
    Buffer buffer;
    LOCKSTEP_TRY(allocate_placed(device(), buffer, [&](Arena& arena) {
        made.hidden = arena.place(dtype, {rows, config.hidden_size});
        made.hidden_attn = arena.place(dtype, {rows, config.hidden_size});
        made.normed = arena.place(dtype, {rows, config.hidden_size});
        made.q = arena.place(dtype, {rows, heads, dim});
        made.q_pre_rope = arena.place(dtype, {rows, heads, dim});
        made.k_pre_rope = arena.place(dtype, {rows, config.num_key_value_heads, dim});
        made.attn = arena.place(dtype, {rows, heads * dim});
        made.mlp = arena.place(dtype, {rows, config.intermediate_size});
    }));
    activations_ = made;
    activation_buffer_ = std::move(buffer);
    activation_dtype_ = dtype;
    checked_.assign(static_cast<size_t>(max_batch_) + 1, false);
    return {};
}

Result<Session::Cache> Session::make_cache(DType dtype) const {
    const ModelConfig& config = model_->config;
    const auto layers = static_cast<size_t>(config.num_hidden_layers);
    Cache cache;
    cache.k.resize(layers);
    cache.v.resize(layers);
    LOCKSTEP_TRY(allocate_placed(device(), cache.buffer, [&](Arena& arena) {
        for (size_t layer = 0; layer < layers; ++layer) {
            for (Tensor* tensor : {&cache.k[layer], &cache.v[layer]})
                *tensor =
                    arena.place(dtype, {context_, config.num_key_value_heads, config.head_dim});
        }
    }));
    return cache;
}

Status Session::copy_cache(const Cache& from, Cache& to) {
    const auto rows = static_cast<int64_t>(tokens_.size());
    if (rows == 0) return {};
    const int64_t count = from.k[0].rows(0, rows).numel();
    const DType old_dtype = from.k[0].dtype, new_dtype = to.k[0].dtype;
    std::vector<std::byte> old_rows(static_cast<size_t>(dtype_bytes(old_dtype, count)));
    std::vector<std::byte> new_rows(static_cast<size_t>(dtype_bytes(new_dtype, count)));
    const auto convert = [&](const Tensor& source, Tensor& target) -> Status {
        LOCKSTEP_TRY(
            device().copy_to_host(old_rows.data(), source.data, old_rows.size(), *stream_));
        LOCKSTEP_TRY(stream_->synchronize());
        convert_elements(old_rows.data(), old_dtype, new_rows.data(), new_dtype, count);
        LOCKSTEP_TRY(
            device().copy_from_host(target.data, new_rows.data(), new_rows.size(), *stream_));
        return stream_->synchronize();
    };
    for (size_t layer = 0; layer < from.k.size(); ++layer) {
        LOCKSTEP_TRY(convert(from.k[layer], to.k[layer]));
        LOCKSTEP_TRY(convert(from.v[layer], to.v[layer]));
    }
    return {};
}

Result<Tensor> Session::logits(int64_t rows) {
    const int64_t vocab_size = model_->config.vocab_size;
    const auto bytes = static_cast<size_t>(rows * vocab_size) * sizeof(float);
    if (logits_buffer_.bytes() < bytes) {
        stream_->forget_replays();
        LOCKSTEP_ASSIGN(logits_buffer_, device().allocate(bytes));
        if (device().kind() == DeviceKind::cpu) touch_pages(logits_buffer_, stream_->stop_flag());
    }
    return Tensor(logits_buffer_.data(), DType::f32, {rows, vocab_size});
}

Result<Tensor> Session::host_logits(int64_t rows) {
    if (device().kind() == DeviceKind::cpu) return logits(rows);
    const int64_t vocab_size = model_->config.vocab_size;
    const auto bytes = static_cast<size_t>(rows * vocab_size) * sizeof(float);
    if (host_logits_.bytes() < bytes) {
        stream_->forget_replays();
        LOCKSTEP_ASSIGN(host_logits_, device().allocate_host(bytes));
    }
    return Tensor(host_logits_.data(), DType::f32, {rows, vocab_size});
}

Result<Tensor> Session::to_host(const Tensor& tensor) {
    if (device().kind() == DeviceKind::cpu || tensor.data == host_logits_.data()) {
        LOCKSTEP_TRY(stream_->synchronize());
        return tensor;
    }
    LOCKSTEP_ASSIGN(const Tensor host, host_logits(tensor.shape[0]));
    LOCKSTEP_TRY(device().copy_to_host(host.data, tensor.data, static_cast<size_t>(tensor.bytes()),
                                       *stream_));
    LOCKSTEP_TRY(stream_->synchronize());
    return host;
}

}  // namespace lockstep
