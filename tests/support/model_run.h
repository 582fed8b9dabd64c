// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a model through the program's own forward pass and keeps what each layer puts out; and the
// figures by which such results are compared.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/run/forward.h"

namespace lockstep::test {

struct ModelRun {
    std::vector<std::vector<float>> hidden;  // [L + 1] of [T, H]: the embedding, then each layer
    std::vector<float> logits;               // [T, V]
};

// A fresh session on the model's device; with two threads on the CPU.
Result<ModelRun> run_model(const std::shared_ptr<const Model>& model, const KernelPath& path,
                           std::span<const int32_t> ids);

// Sums over what is added, so that several tensors can be judged as one.
class ErrorSum {
  public:
    void add(std::span<const float> values, std::span<const float> expected);
    // Figures of somebody else's: `count` elements whose errors have this RMS and maximum.
    void add_figures(double rms, double max, int64_t count);
    double rms() const;
    double max() const { return max_; }  // infinity where a value is not finite or is missing

  private:
    double squares_ = 0, max_ = 0;
    size_t count_ = 0;
};

// Empty where every |value - expected| <= absolute + relative * |expected|; else the worst, in
// words.
std::string outside_tolerance(std::span<const float> values, std::span<const float> expected,
                              double relative, double absolute);

// Rows `rows` of a [.., columns] tensor, every step-th column of them.
std::vector<float> sample(std::span<const float> values, int64_t columns,
                          std::span<const int64_t> rows, int64_t step);

}  // namespace lockstep::test
