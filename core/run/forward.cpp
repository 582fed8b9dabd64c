// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/run/forward.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace lockstep {
namespace {

tl::unexpected<Error> stop_error() {
    return fail(ErrorKind::cancelled, "stopped");
}

Status check_request(const Session& session, const KernelPath& path,
                     std::span<const int32_t> tokens) {
    const auto count = static_cast<int64_t>(tokens.size());
    const auto held = static_cast<int64_t>(session.tokens().size());
    if (count < 1 || count > session.max_batch()) {
        return fail(ErrorKind::invalid_argument, "a forward pass takes 1 to " +
                                                     std::to_string(session.max_batch()) +
                                                     " tokens, not " + std::to_string(count));
    }
    if (held + count > session.context()) {
        return fail(ErrorKind::invalid_argument,
                    "the context of " + std::to_string(session.context()) + " tokens holds " +
                        std::to_string(held) + ": " + std::to_string(count) + " more do not fit");
    }
    if (path.device != session.device().kind()) {
        return fail(ErrorKind::invalid_argument,
                    "path " + path.name + " runs on another device than the session");
    }
    const int64_t vocab_size = session.model().config.vocab_size;
    const auto outside = std::find_if(tokens.begin(), tokens.end(),
                                      [&](int32_t id) { return id < 0 || id >= vocab_size; });
    if (outside == tokens.end()) return {};
    return fail(ErrorKind::invalid_argument, "token " + std::to_string(*outside) +
                                                 " is outside the vocabulary of " +
                                                 std::to_string(vocab_size));
}

}  // namespace

Result<Tensor> Forward::run(Session& session, const KernelPath& path,
                            std::span<const int32_t> tokens, const ForwardOptions& options) {
    LOCKSTEP_TRY(check_request(session, path, tokens));
    LOCKSTEP_TRY(
        session.set_activation_dtype(path.f32_activations ? DType::f32 : session.model().dtype));
    return Forward(session, path, tokens, options).run(tokens);
}

Forward::Forward(Session& session, const KernelPath& path, std::span<const int32_t> tokens,
                 const ForwardOptions& options)
    : session_(session),
      path_(path),
      options_(options),
      config_(session.model().config),
      weights_(session.model().weights),
      rows_(static_cast<int64_t>(tokens.size())),
      first_row_(static_cast<int64_t>(session.tokens().size())),
      check_(!session.checked_[tokens.size()]) {
    const Session::Activations& all = session.activations_;
    made_ = {all.hidden.rows(0, rows_),     all.hidden_attn.rows(0, rows_),
             all.normed.rows(0, rows_),     all.q.rows(0, rows_),
             all.q_pre_rope.rows(0, rows_), all.k_pre_rope.rows(0, rows_),
             all.attn.rows(0, rows_),       all.mlp.rows(0, rows_)};
}

Result<Tensor> Forward::run(std::span<const int32_t> tokens) {
    Stream& stream = session_.stream();
    LOCKSTEP_ASSIGN(Tensor out, session_.logits(options_.all_logits ? rows_ : 1));
    if (replays() && path_.logits_to_host && path_.logits_to_host(logits(out), stream)) {
        LOCKSTEP_ASSIGN(out, session_.host_logits(1));
    }
    LOCKSTEP_TRY(session_.copy_inputs(static_cast<int32_t>(first_row_), tokens));

    if (options_.cancel) stream.stop_when(options_.cancel);
    const Status queued =
        replays() ? stream.replay(options_.replay_key, [&] { return steps(out); }) : steps(out);
    if (!queued) return after_failure(queued.error());

    session_.checked_[tokens.size()] = true;
    LOCKSTEP_ASSIGN(const Tensor host, session_.to_host(out));
    if (stopped()) return stop_error();
    session_.tokens_.insert(session_.tokens_.end(), tokens.begin(), tokens.end());
    return host;
}

// What a stop leaves queued ends, or the device is found not to answer.
Result<Tensor> Forward::after_failure(const Error& error) const {
    if (error.kind == ErrorKind::cancelled) LOCKSTEP_TRY(session_.stream().synchronize());
    return tl::unexpected<Error>(error);
}

bool Forward::stopped() const {
    return options_.cancel && options_.cancel->load(std::memory_order_relaxed);
}

// An observer sees every call, so with one every call is made.
bool Forward::replays() const {
    constexpr uint8_t every_step = (1u << step_count) - 1;
    return options_.replay_key != 0 && rows_ == 1 && !options_.observer &&
           path_.replayable == every_step;
}

Status Forward::steps(const Tensor& out) const {
    LOCKSTEP_TRY(step(embed()));
    for (int layer = 0; layer < config_.num_hidden_layers; ++layer) {
        LOCKSTEP_TRY(step(qkv(layer)));
        LOCKSTEP_TRY(step(attention(layer)));
        LOCKSTEP_TRY(step(attn_output(layer)));
        LOCKSTEP_TRY(step(gate_up(layer)));
        LOCKSTEP_TRY(step(down(layer)));
        if (rows_ > 1) LOCKSTEP_TRY(session_.stream().keep_pace());
    }
    return step(logits(out));
}

// Every step of every path goes through here.
template <class Args>
Status Forward::step(const Args& args) const {
    if (stopped()) return stop_error();
    Stream& stream = session_.stream();
    const auto where = [&] {
        const std::string name(step_name(Args::id));
        const int layer = args.context.layer;
        const bool in_layer = layer >= 0 && layer < config_.num_hidden_layers;
        return "path " + path_.name + ", step " + name +
               (in_layer ? " of layer " + std::to_string(layer) : "");
    };
    if (check_) {
        if (Status fits = check_step(args); !fits) return within(where(), std::move(fits).error());
    }
    if (Status ran = path_.step<Args>()(args, stream); !ran)
        return within(where(), std::move(ran).error());
    if (!options_.observer) return {};
    const bool unfused_outputs = (path_.writes_unfused_outputs >> static_cast<int>(Args::id)) & 1;
    return options_.observer->after_step(args, unfused_outputs, stream);
}

StepContext Forward::at(int layer) const {
    return {layer, first_row_, session_.position_};
}

EmbedArgs Forward::embed() const {
    EmbedArgs args;
    args.context = at(-1);
    args.ids = session_.ids_.rows(0, rows_);
    args.embed_tokens = weights_.embed_tokens;
    args.hidden = made_.hidden;
    return args;
}

QkvArgs Forward::qkv(int layer) const {
    const auto index = static_cast<size_t>(layer);
    const LayerWeights& weights = weights_.layers[index];
    QkvArgs args;
    args.context = at(layer);
    args.rms_norm_eps = config_.rms_norm_eps;
    args.hidden = made_.hidden;
    args.input_layernorm = weights.input_layernorm;
    args.q_proj = weights.q_proj;
    args.k_proj = weights.k_proj;
    args.v_proj = weights.v_proj;
    args.q_bias = weights.q_bias;
    args.k_bias = weights.k_bias;
    args.v_bias = weights.v_bias;
    args.rope_cos = session_.rope_cos_;
    args.rope_sin = session_.rope_sin_;
    args.q = made_.q;
    args.k_cache = session_.cache_.k[index];
    args.v_cache = session_.cache_.v[index];
    args.normed = made_.normed;
    args.q_pre_rope = made_.q_pre_rope;
    args.k_pre_rope = made_.k_pre_rope;
    return args;
}

AttentionArgs Forward::attention(int layer) const {
    const auto index = static_cast<size_t>(layer);
    AttentionArgs args;
    args.context = at(layer);
    args.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(config_.head_dim)));
    args.q = made_.q;
    args.k_cache = session_.cache_.k[index];
    args.v_cache = session_.cache_.v[index];
    args.attn = made_.attn;
    return args;
}

AttnOutputArgs Forward::attn_output(int layer) const {
    AttnOutputArgs args;
    args.context = at(layer);
    args.attn = made_.attn;
    args.o_proj = weights_.layers[static_cast<size_t>(layer)].o_proj;
    args.hidden = made_.hidden;
    args.hidden_attn = made_.hidden_attn;
    return args;
}

GateUpArgs Forward::gate_up(int layer) const {
    const LayerWeights& weights = weights_.layers[static_cast<size_t>(layer)];
    GateUpArgs args;
    args.context = at(layer);
    args.rms_norm_eps = config_.rms_norm_eps;
    args.hidden_attn = made_.hidden_attn;
    args.post_attention_layernorm = weights.post_attention_layernorm;
    args.gate_proj = weights.gate_proj;
    args.up_proj = weights.up_proj;
    args.mlp = made_.mlp;
    args.normed = made_.normed;
    return args;
}

DownArgs Forward::down(int layer) const {
    DownArgs args;
    args.context = at(layer);
    args.mlp = made_.mlp;
    args.down_proj = weights_.layers[static_cast<size_t>(layer)].down_proj;
    args.hidden_attn = made_.hidden_attn;
    args.hidden = made_.hidden;
    return args;
}

LogitsArgs Forward::logits(const Tensor& out) const {
    const int64_t rows = out.shape[0];
    LogitsArgs args;
    args.context = at(static_cast<int>(config_.num_hidden_layers));
    args.rms_norm_eps = config_.rms_norm_eps;
    args.hidden = made_.hidden.rows(rows_ - rows, rows);
    args.norm = weights_.norm;
    args.lm_head = weights_.lm_head;
    args.logits = out;
    args.normed = made_.normed.rows(0, rows);
    return args;
}

}  // namespace lockstep
