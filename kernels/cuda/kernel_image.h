// SPDX-License-Identifier: GPL-3.0-or-later
// Whether this program's kernels were compiled for the calling thread's current GPU.
#pragma once

namespace lockstep {

bool has_kernels_for_this_gpu();

}  // namespace lockstep
