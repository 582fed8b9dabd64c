// SPDX-License-Identifier: GPL-3.0-or-later
// A model of random weights, made in memory from a config and a seed: small ones to test the
// inspector with, ones of a real model's shape to measure kernels with where no file is at hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/model/model.h"

namespace lockstep {

struct RandomModelSpec {
    std::string name;
    uint64_t seed = 0;
    ModelConfig config;
};

// On the CPU, without a tokenizer. Matrices keep the size of what they multiply, norms are near 1,
// biases of about unit size: as far as a trained model goes. Every value is a bf16 number, whatever
// `dtype` the weights have. The same spec gives the same weights on every machine.
Result<std::shared_ptr<Model>> make_random_model(const RandomModelSpec& spec, DType dtype);

}  // namespace lockstep
