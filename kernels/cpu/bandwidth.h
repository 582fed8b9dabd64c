// SPDX-License-Identifier: GPL-3.0-or-later
// How fast this machine's memory can be read: the ceiling of a decode step, which reads every
// weight once per token and does little else.
#pragma once

#include "kernels/device.h"

namespace lockstep {

// GB/s (1e9 bytes) that the threads of a CPU stream read together, summing a buffer that no cache
// holds: the median of `passes` passes, after one that is not counted. Takes a few hundred
// milliseconds. Fails with out_of_memory where less than 64 MB are free.
Result<double> measure_read_bandwidth(Stream& stream, int passes = 15);

}  // namespace lockstep
