// SPDX-License-Identifier: GPL-3.0-or-later
// How fast a device's memory can be read: the ceiling of a decode step, which reads every weight
// once per token and does little else.
#pragma once

#include "kernels/device.h"

namespace lockstep {

// GB/s (1e9 bytes) that a stream of any device reads, summing a buffer that no cache holds: the
// median of `passes` passes, after one that is not counted. Takes a few hundred milliseconds on a
// CPU, a few on a GPU. Fails with out_of_memory where there is no room for such a buffer.
Result<double> measure_read_bandwidth(Stream& stream, int passes = 15);

// One for each kind: kernels/cpu/bandwidth.cpp, kernels/cuda/bandwidth.cu.
Result<double> measure_cpu_bandwidth(Stream& stream, int passes);
Result<double> measure_cuda_bandwidth(Stream& stream, int passes);

}  // namespace lockstep
