// SPDX-License-Identifier: GPL-3.0-or-later
// What a planted fault acts with. Internal to plant_fault(): a fault is a function that is called
// in the place of the path's own step and calls that with other arguments, or changes what it put
// out.
//
// The step's memory may lie on any device: it is touched through what is here and in no other way.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/inspect/fault.h"

namespace lockstep {

// A tensor's values on the host, row-major.
struct HostTensor {
    std::vector<float> values;
    int64_t rows = 0, columns = 0;  // columns: of all further dimensions together
    const float* row(int64_t r) const { return values.data() + r * columns; }
    float* row(int64_t r) { return values.data() + r * columns; }
};

// Both wait for the stream. Written values are rounded to nearest even.
Result<HostTensor> read_tensor(const Tensor& from, Stream& stream);
Status write_tensor(const HostTensor& values, const Tensor& to, Stream& stream);

// What a planted fault keeps as long as the path lives: memory on the device, by the name that the
// fault gives it, and what must last from call to call.
class FaultState {
  public:
    FaultState(std::shared_ptr<const Model> of, int at) : model(std::move(of)), layer(at) {}

    const std::shared_ptr<const Model> model;
    const int layer;
    std::mutex mutex;  // one call at a time, should two sessions share the path
    uint64_t calls = 0;
    HostTensor previous;  // what the previous call computed

    // A contiguous tensor like `shape` (whose memory and strides do not matter), with what the last
    // call left in it.
    Result<Tensor> room(std::string_view name, Tensor shape, Stream& stream);
    // The same, filled by make() once for each model weight, and for other tensors at every call.
    template <class Make>
    Result<Tensor> remade(std::string_view name, const Tensor& weight, const Make& make,
                          Stream& stream);
    // f32 [C, D/2] of a model like this one with another config, from position `offset` on.
    struct RopeTables {
        Tensor cos, sin;
    };
    Result<RopeTables> rope_tables(const ModelConfig& config, int64_t rows, int64_t offset,
                                   Stream& stream);

  private:
    bool is_model_weight(const Tensor& tensor) const;
    std::map<std::string, Buffer, std::less<>> buffers_;
    std::map<std::string, const void*, std::less<>> made_from_;
    int64_t rope_rows_ = 0;
};

template <class Args>
struct FaultCall {
    const Args& args;
    const StepFunction<Args>& step;  // the path's own
    FaultState& state;
    Stream& stream;

    Status run(const Args& changed) const { return step(changed, stream); }
    Status run() const { return step(args, stream); }
    const ModelConfig& config() const { return state.model->config; }
    const LayerWeights& weights_of(int layer) const {
        return state.model->weights.layers[static_cast<size_t>(layer)];
    }
    // The next layer, of the last the one before.
    const LayerWeights& neighbour() const {
        const bool last = state.layer + 1 == config().num_hidden_layers;
        return weights_of(last ? state.layer - 1 : state.layer + 1);
    }

    Result<HostTensor> read(const Tensor& from) const { return read_tensor(from, stream); }
    Status write(const HostTensor& values, const Tensor& to) const {
        return write_tensor(values, to, stream);
    }
    // change(HostTensor&) of what a tensor holds.
    template <class Change>
    Status change(const Tensor& tensor, const Change& change) const {
        LOCKSTEP_ASSIGN(HostTensor values, read(tensor));
        change(values);
        return write(values, tensor);
    }
    // A changed copy on the device, made anew at every call.
    template <class Change>
    Result<Tensor> changed_copy(std::string_view name, const Tensor& of, const Change& change) {
        LOCKSTEP_ASSIGN(HostTensor values, read(of));
        change(values);
        LOCKSTEP_ASSIGN(const Tensor copy, state.room(name, of, stream));
        LOCKSTEP_TRY(write(values, copy));
        return copy;
    }
    // A changed copy of a weight of the model, made once.
    template <class Change>
    Result<Tensor> changed_weight(std::string_view name, const Tensor& of, const Change& change) {
        const auto make = [&](const Tensor& to) -> Status {
            LOCKSTEP_ASSIGN(HostTensor values, read(of));
            change(values);
            return write(values, to);
        };
        return state.remade(name, of, make, stream);
    }
};

template <class Make>
Result<Tensor> FaultState::remade(std::string_view name, const Tensor& weight, const Make& make,
                                  Stream& stream) {
    LOCKSTEP_ASSIGN(const Tensor copy, room(name, weight, stream));
    const auto made = made_from_.find(name);
    if (made != made_from_.end() && made->second == weight.data) return copy;
    LOCKSTEP_TRY(make(copy));
    made_from_[std::string(name)] = is_model_weight(weight) ? weight.data : nullptr;
    return copy;
}

template <class Args>
using FaultAct = Status (*)(FaultCall<Args>&);

template <class Args>
struct NamedAct {
    std::string_view name;  // in the catalogue
    FaultAct<Args> act;
};

// Every fault of a step, in one file each.
std::span<const NamedAct<EmbedArgs>> embed_faults();             // fault_embed_logits.cpp
std::span<const NamedAct<QkvArgs>> qkv_faults();                 // fault_qkv.cpp
std::span<const NamedAct<AttentionArgs>> attention_faults();     // fault_attention.cpp
std::span<const NamedAct<AttnOutputArgs>> attn_output_faults();  // fault_residual.cpp
std::span<const NamedAct<GateUpArgs>> gate_up_faults();          // fault_gate_up.cpp
std::span<const NamedAct<DownArgs>> down_faults();               // fault_residual.cpp
std::span<const NamedAct<LogitsArgs>> logits_faults();           // fault_embed_logits.cpp

}  // namespace lockstep
