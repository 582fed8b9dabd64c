// SPDX-License-Identifier: GPL-3.0-or-later
// The fused path's steps that have a file of their own.
#pragma once

#include "kernels/kernel_path.h"

namespace lockstep {

Status fused_attention(const AttentionArgs& args, Stream& stream);  // fused_attention.cpp

}  // namespace lockstep
