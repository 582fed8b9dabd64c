// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/probe.h"

#include <algorithm>

#include "core/inspect/dense_runs.h"
#include "core/inspect/step_runs.h"

namespace lockstep {
namespace {

constexpr size_t alignment = 64;
constexpr size_t look_at_stop_every = 2 << 20;  // bytes: some milliseconds to fresh pages

size_t aligned(int64_t bytes) {
    return (static_cast<size_t>(bytes) + alignment - 1) / alignment * alignment;
}

std::string key(int pass, int layer, StepId step, std::string_view tap) {
    std::string text = std::to_string(pass) + '.' + std::to_string(layer) + '.';
    text += step_name(step);
    text += '.';
    return text += tap;
}

// Elements per row of everything that the steps of one layer put out, unfused outputs included.
int64_t layer_row_elements(const ModelConfig& config) {
    const int64_t q = config.num_attention_heads * config.head_dim;
    const int64_t kv = config.num_key_value_heads * config.head_dim;
    const int64_t qkv = config.hidden_size + 2 * q + 3 * kv;  // normed, q twice, k twice, v
    return qkv + q + config.hidden_size + config.hidden_size + config.intermediate_size +
           config.hidden_size;
}

constexpr int64_t taps_per_layer = 12;

}  // namespace

Status copy_contiguous(const Tensor& from, void* to, Stream& stream) {
    return for_each_dense_run(from, [&](int64_t offset, int64_t index, int64_t count) -> Status {
        const char* source = from.as<const char>() + dtype_bytes(from.dtype, offset);
        char* target = static_cast<char*>(to) + dtype_bytes(from.dtype, index);
        const auto bytes = static_cast<size_t>(dtype_bytes(from.dtype, count));
        for (size_t done = 0; done < bytes; done += look_at_stop_every) {
            LOCKSTEP_TRY(stop_if_asked(stream));
            const size_t part = std::min(look_at_stop_every, bytes - done);
            LOCKSTEP_TRY(stream.device().copy(target + done, source + done, part, stream));
        }
        return {};
    });
}

int64_t Probe::bytes_needed(const ModelConfig& config, DType activation_dtype, const Plan& plan) {
    const int64_t rows = plan.prefill_rows + plan.decode_steps;
    const int64_t passes = 1 + plan.decode_steps;
    const int64_t layers = config.num_hidden_layers;
    const int64_t elements = rows * (layers * layer_row_elements(config) + 2 * config.hidden_size);
    const int64_t logits = (plan.logits_rows + plan.decode_steps) * config.vocab_size;
    const int64_t gaps = static_cast<int64_t>(alignment) * passes * (layers * taps_per_layer + 3);
    return dtype_bytes(activation_dtype, elements) + dtype_bytes(DType::f32, logits) + gaps;
}

Result<std::unique_ptr<Probe>> Probe::create(const ModelConfig& config, DType activation_dtype,
                                             const Plan& plan, Device& device) {
    std::unique_ptr<Probe> probe(new Probe());
    const int64_t bytes = bytes_needed(config, activation_dtype, plan);
    auto arena = device.allocate(static_cast<size_t>(bytes));
    if (!arena) {
        return fail(ErrorKind::out_of_memory,
                    "recording " + std::to_string(plan.prefill_rows) + " tokens and " +
                        std::to_string(plan.decode_steps) + " decode steps takes " +
                        std::to_string(bytes >> 20) + " MiB: " + arena.error().message);
    }
    probe->arena_ = std::move(*arena);
    probe->plan_ = plan;
    const auto taps = static_cast<size_t>((config.num_hidden_layers * taps_per_layer + 3) *
                                          (1 + plan.decode_steps));
    probe->records_.reserve(taps);
    probe->slots_.reserve(taps);
    return probe;
}

// The record of a tap in this pass with rows for another batch of it.
Result<TapRecord*> Probe::grow(int layer, StepId step, const NamedTensor& tap) {
    const Tensor& batch = tap.tensor;
    const auto [slot, fresh] = slots_.try_emplace(key(pass_, layer, step, tap.name));
    if (fresh) {
        const bool logits = step == StepId::logits;
        slot->second.record = records_.size();
        slot->second.capacity =
            pass_ > 0 ? batch.shape[0] : (logits ? plan_.logits_rows : plan_.prefill_rows);
        Tensor whole = batch.rank == 3
                           ? Tensor(nullptr, batch.dtype,
                                    {slot->second.capacity, batch.shape[1], batch.shape[2]})
                           : Tensor(nullptr, batch.dtype, {slot->second.capacity, batch.shape[1]});
        whole.data = static_cast<char*>(arena_.data()) + used_;
        used_ += aligned(whole.bytes());
        whole.shape[0] = 0;
        records_.push_back({pass_, layer, step, std::string(tap.name), whole});
    }
    TapRecord& record = records_[slot->second.record];
    if (used_ > arena_.bytes() || record.tensor.shape[0] + batch.shape[0] > slot->second.capacity) {
        return fail(ErrorKind::internal, "the probe was planned for fewer rows than pass " +
                                             std::to_string(pass_) + " has");
    }
    return &record;
}

Status Probe::after_step(const StepArgs& args, bool unfused_outputs, Stream& stream) {
    const int layer = step_context(args).layer;
    for (const NamedTensor& tap : step_taps(args, unfused_outputs)) {
        LOCKSTEP_ASSIGN(TapRecord* const record, grow(layer, step_id(args), tap));
        Tensor& kept = record->tensor;
        void* const end = kept.as<char>() + dtype_bytes(kept.dtype, kept.shape[0] * kept.stride[0]);
        LOCKSTEP_TRY(copy_contiguous(tap.tensor, end, stream));
        kept.shape[0] += tap.tensor.shape[0];
    }
    return {};
}

const TapRecord* Probe::find(int pass, int layer, StepId step, std::string_view tap) const {
    const auto slot = slots_.find(key(pass, layer, step, tap));
    return slot == slots_.end() ? nullptr : &records_[slot->second.record];
}

}  // namespace lockstep
