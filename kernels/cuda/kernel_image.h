// SPDX-License-Identifier: GPL-3.0-or-later
// For which architecture this program's kernels were compiled, of those that the calling thread's
// current GPU can run.
#pragma once

namespace lockstep {

// As __CUDA_ARCH__ / 10 in them (90 for sm_90); 0 where there are none. An older GPU's kernels,
// which the driver has translated for this one, lack what came later: they neither wait for a
// kernel before them nor know clusters.
int kernel_architecture();

}  // namespace lockstep
