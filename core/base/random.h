// SPDX-License-Identifier: GPL-3.0-or-later
// A small generator whose sequence is the same everywhere (the standard's distributions are not):
// splitmix64 (Steele, Lea, Flood 2014).
#pragma once

#include <cstdint>

namespace lockstep {

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    // Uniform in [0, 1), 53 bits.
    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  private:
    uint64_t state_;
};

}  // namespace lockstep
