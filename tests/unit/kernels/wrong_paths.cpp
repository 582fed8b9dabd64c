// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/kernels/wrong_paths.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

// How a step goes wrong: the arguments are changed before the right step runs, or what it made is.
template <class Args>
using Change = void (*)(Args&);

template <class Args>
KernelPath wrong(Change<Args> before, Change<Args> after, StepFunction<Args> KernelPath::*entry) {
    KernelPath path = *find_kernel_path(DeviceKind::cpu, "reference");
    path.name = "wrong";
    path.*entry = [before, after, right = path.*entry](const Args& args, Stream& stream) -> Status {
        Args changed = args;
        if (before) before(changed);
        LOCKSTEP_TRY(right(changed, stream));
        changed = args;
        if (after) after(changed);
        return {};
    };
    return path;
}

void set(const Tensor& tensor, int64_t row, int64_t inner, float value) {
    store_element(tensor.data, tensor.dtype, row * tensor.stride[0] + inner, value);
}

float get(const Tensor& tensor, int64_t row, int64_t inner) {
    return load_element(tensor.data, tensor.dtype, row * tensor.stride[0] + inner);
}

void scale_last_column(const Tensor& tensor, float factor) {
    const int64_t column = tensor.shape[1] - 1;
    for (int64_t t = 0; t < tensor.shape[0]; ++t)
        set(tensor, t, column, factor * get(tensor, t, column) + 0.1f);
}

void swap_first_rows(const Tensor& tensor) {
    for (int64_t c = 0; c < tensor.shape[1]; ++c) {
        const float first = get(tensor, 0, c);
        set(tensor, 0, c, get(tensor, 1, c));
        set(tensor, 1, c, first);
    }
}

// Strides taken for the contiguous ones; on contiguous operands a transposed read.
Tensor misread(const Tensor& weight) {
    Tensor transposed = weight;
    if (weight.contiguous()) {
        transposed.data = weight.as<char>() + dtype_bytes(weight.dtype, weight.shape[1]);
        transposed.shape[0] -= 1;
    } else {
        transposed.stride[0] = weight.shape[1];
    }
    return transposed;
}

WrongPath wrong_embed(const char* name, Change<EmbedArgs> before, Change<EmbedArgs> after) {
    return {StepId::embed, name, wrong(before, after, &KernelPath::embed)};
}
WrongPath wrong_qkv(const char* name, Change<QkvArgs> before, Change<QkvArgs> after) {
    return {StepId::qkv, name, wrong(before, after, &KernelPath::qkv)};
}
WrongPath wrong_attention(const char* name, Change<AttentionArgs> before,
                          Change<AttentionArgs> after) {
    return {StepId::attention, name, wrong(before, after, &KernelPath::attention)};
}
WrongPath wrong_attn_output(const char* name, Change<AttnOutputArgs> before,
                            Change<AttnOutputArgs> after) {
    return {StepId::attn_output, name, wrong(before, after, &KernelPath::attn_output)};
}
WrongPath wrong_gate_up(const char* name, Change<GateUpArgs> before, Change<GateUpArgs> after) {
    return {StepId::gate_up, name, wrong(before, after, &KernelPath::gate_up)};
}
WrongPath wrong_down(const char* name, Change<DownArgs> before, Change<DownArgs> after) {
    return {StepId::down, name, wrong(before, after, &KernelPath::down)};
}
WrongPath wrong_logits(const char* name, Change<LogitsArgs> before, Change<LogitsArgs> after) {
    return {StepId::logits, name, wrong(before, after, &KernelPath::logits)};
}

}  // namespace

const std::vector<WrongPath>& wrong_paths() {
    static const std::vector<WrongPath> paths{
        wrong_embed(
            "last row left out",
            [](EmbedArgs& a) {
                a.ids.shape[0] -= 1;
                a.hidden.shape[0] -= 1;
            },
            nullptr),
        wrong_embed("last column scaled", nullptr,
                    [](EmbedArgs& a) { scale_last_column(a.hidden, 1.5f); }),
        wrong_embed("its ids overwritten", nullptr,
                    [](EmbedArgs& a) { a.ids.as<int32_t>()[0] ^= 1; }),
        wrong_qkv(
            "cosine and sine swapped", [](QkvArgs& a) { std::swap(a.rope_cos, a.rope_sin); },
            nullptr),
        wrong_qkv(
            "eps not passed", [](QkvArgs& a) { a.rms_norm_eps = 0.3f; }, nullptr),
        wrong_qkv(
            "k and v weights mixed up", [](QkvArgs& a) { std::swap(a.k_proj, a.v_proj); }, nullptr),
        wrong_qkv("k not rotated", nullptr,
                  [](QkvArgs& a) {
                      for (int64_t t = 0; t < a.hidden.shape[0]; ++t) {
                          for (int64_t i = 0; i < a.k_cache.shape[2]; ++i)
                              set(a.k_cache, a.context.first_row + t, i, get(a.k_pre_rope, t, i));
                      }
                  }),
        wrong_qkv("one head of q scaled by 1.02", nullptr,
                  [](QkvArgs& a) {
                      const int64_t head = a.q.shape[1] - 1;
                      for (int64_t t = 0; t < a.q.shape[0]; ++t) {
                          for (int64_t i = 0; i < a.q.shape[2]; ++i) {
                              const int64_t at = head * a.q.stride[1] + i;
                              set(a.q, t, at, 1.02f * get(a.q, t, at));
                          }
                      }
                  }),
        wrong_qkv("a tiny bias on v", nullptr,
                  [](QkvArgs& a) {
                      for (int64_t t = 0; t < a.hidden.shape[0]; ++t) {
                          for (int64_t i = 0; i < a.v_cache.shape[2]; ++i) {
                              const int64_t row = a.context.first_row + t;
                              set(a.v_cache, row, i, get(a.v_cache, row, i) + 0.1f);
                          }
                      }
                  }),
        wrong_attention(
            "scale of another head size", [](AttentionArgs& a) { a.scale *= 0.7f; }, nullptr),
        wrong_attention(
            "keys and values swapped", [](AttentionArgs& a) { std::swap(a.k_cache, a.v_cache); },
            nullptr),
        wrong_attention("rows one and two swapped", nullptr,
                        [](AttentionArgs& a) { swap_first_rows(a.attn); }),
        wrong_attention(
            "one NaN", nullptr,
            [](AttentionArgs& a) { set(a.attn, 0, 0, std::numeric_limits<float>::quiet_NaN()); }),
        wrong_attn_output("residual dropped", nullptr,
                          [](AttnOutputArgs& a) {
                              for (int64_t t = 0; t < a.hidden.shape[0]; ++t) {
                                  for (int64_t i = 0; i < a.hidden.shape[1]; ++i)
                                      set(a.hidden_attn, t, i,
                                          get(a.hidden_attn, t, i) - get(a.hidden, t, i));
                              }
                          }),
        wrong_attn_output("last column scaled", nullptr,
                          [](AttnOutputArgs& a) { scale_last_column(a.hidden_attn, 1.2f); }),
        wrong_attn_output("the residual overwritten", nullptr,
                          [](AttnOutputArgs& a) { set(a.hidden, 0, 0, 3); }),
        wrong_gate_up(
            "gate and up swapped", [](GateUpArgs& a) { std::swap(a.gate_proj, a.up_proj); },
            nullptr),
        wrong_gate_up(
            "last column skipped",
            [](GateUpArgs& a) {
                a.mlp.shape[1] -= 1;
                a.gate_proj.shape[0] -= 1;
                a.up_proj.shape[0] -= 1;
            },
            nullptr),
        wrong_gate_up(
            "weight's strides misread",
            [](GateUpArgs& a) {
                a.up_proj = misread(a.up_proj);
                if (a.up_proj.shape[0] == a.gate_proj.shape[0]) return;
                a.gate_proj.shape[0] = a.mlp.shape[1] = a.up_proj.shape[0];
            },
            nullptr),
        wrong_down("rows one and two swapped", nullptr,
                   [](DownArgs& a) { swap_first_rows(a.hidden); }),
        wrong_down("a race for one bit", nullptr,
                   [](DownArgs& a) {
                       static int calls = 0;
                       a.hidden.as<char>()[0] =
                           static_cast<char>(a.hidden.as<char>()[0] ^ (calls++ & 1));
                   }),
        wrong_down(
            "last row left poisoned",
            [](DownArgs& a) {
                for (Tensor* tensor : {&a.mlp, &a.hidden_attn, &a.hidden}) tensor->shape[0] -= 1;
            },
            nullptr),
        wrong_logits("norm's weight forgotten in one channel", nullptr,
                     [](LogitsArgs& a) {
                         for (int64_t t = 0; t < a.normed.shape[0]; ++t) set(a.normed, t, 0, 0);
                     }),
        wrong_logits("last vocabulary entry scaled", nullptr,
                     [](LogitsArgs& a) { scale_last_column(a.logits, 1.5f); }),
        wrong_logits(
            "eps not passed", [](LogitsArgs& a) { a.rms_norm_eps = 0.3f; }, nullptr),
    };
    return paths;
}

}  // namespace lockstep
