// SPDX-License-Identifier: GPL-3.0-or-later
// The seven steps unfused, an operation a kernel, products by cuBLAS: truth where the activations
// are f32 (weights of any dtype are widened first), the reference where they are of the model's
// dtype. kernels/cpu/truth.cpp and reference.cpp say what is computed.
#pragma once

#include "kernels/kernel_path.h"

namespace lockstep::unfused {

Status run_embed(const EmbedArgs& args, Stream& stream);
Status run_qkv(const QkvArgs& args, Stream& stream);
Status run_attention(const AttentionArgs& args, Stream& stream);
Status run_attn_output(const AttnOutputArgs& args, Stream& stream);
Status run_gate_up(const GateUpArgs& args, Stream& stream);
Status run_down(const DownArgs& args, Stream& stream);
Status run_logits(const LogitsArgs& args, Stream& stream);

}  // namespace lockstep::unfused
