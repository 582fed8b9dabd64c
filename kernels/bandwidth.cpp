// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/bandwidth.h"

namespace lockstep {

Result<double> measure_read_bandwidth(Stream& stream, int passes) {
    const bool cpu = stream.device().kind() == DeviceKind::cpu;
    return cpu ? measure_cpu_bandwidth(stream, passes) : measure_cuda_bandwidth(stream, passes);
}

}  // namespace lockstep
