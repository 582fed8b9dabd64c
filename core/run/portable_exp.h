// SPDX-License-Identifier: GPL-3.0-or-later
// exp() with the same bits on every machine: libm's differ in the last place between versions and
// processors, which is enough to draw another token.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace lockstep {

// e^x for x <= 0, within 2 units in the last place; 0 below -700 and of NaN. Compile with
// -ffp-contract=off. Without a branch, so that a loop over it becomes one of vectors.
[[gnu::always_inline]] inline double portable_exp(double x) {
    // x = k ln2 + r with |r| <= ln2/2, ln2 in two parts (the first has 33 bits, so that k * high is
    // exact); e^r by its Taylor series, whose rest after r^13 is below 2^-57.
    constexpr double log2_e = 0x1.71547652b82fep+0;
    constexpr double ln2_high = 0x1.62e42feep-1;
    constexpr double ln2_low = 0x1.a39ef35793c76p-33;
    constexpr double round_to_integer = 0x1.8p52;
    const double shifted = x * log2_e + round_to_integer;  // its last bits are those of k
    const double k = shifted - round_to_integer;
    const double r = (x - k * ln2_high) - k * ln2_low;
    double sum = 1.0 / 6227020800.0;
    sum = sum * r + 1.0 / 479001600.0;
    sum = sum * r + 1.0 / 39916800.0;
    sum = sum * r + 1.0 / 3628800.0;
    sum = sum * r + 1.0 / 362880.0;
    sum = sum * r + 1.0 / 40320.0;
    sum = sum * r + 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    const double power = std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) + 1023) << 52);
    return x > -700.0 ? sum * power : 0.0;
}

// The same of each, in the CPU's widest vectors: the same bits.
void portable_exp(std::span<double> values);

}  // namespace lockstep
