// SPDX-License-Identifier: GPL-3.0-or-later
// The reference path's parts, for its own files and its tests.
#pragma once

#include <optional>

#include "kernels/cpu/onednn.h"
#include "kernels/kernel_path.h"

namespace lockstep {

// The reference with a given way of making products, whatever the machine: how one machine tests
// what runs on another. Native bf16 products fail with a message where oneDNN has none.
KernelPath make_cpu_reference_path(std::optional<Products> products);

// The attention step: kernels/cpu/reference_attention.cpp.
Status reference_attention(const AttentionArgs& args, Stream& stream,
                           std::optional<Products> products);

}  // namespace lockstep
