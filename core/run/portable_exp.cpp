// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/run/portable_exp.h"

#include "kernels/cpu/on_best_target.h"

namespace lockstep {

void portable_exp(std::span<double> values) {
    on_best_target([&]() __attribute__((always_inline)) {
        for (double& value : values) value = portable_exp(value);
    });
}

}  // namespace lockstep
