// SPDX-License-Identifier: GPL-3.0-or-later
// What a diagnosis looks at: a step's inputs and what candidate, reference and truth made of them,
// as plain arrays of the host, and the size of an honest error of each element. Internal to
// diagnose().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/inspect/diagnosis.h"
#include "kernels/cpu/thread_pool.h"

namespace lockstep {

// One tap, [rows, heads * width], row-major.
struct TapValues {
    std::string name;
    int64_t heads = 1, width = 0;
    std::vector<float> candidate, reference, truth;
    // RMS of an honest path's error: estimated of the reference's, for a row's piece of a head or
    // of 64 columns; without the last rounding, which grows with the element.
    std::vector<float> noise;
    double largest_reference_z = 0;  // of its errors, each over its expected size

    int64_t columns() const { return heads * width; }
    // Columns that are judged together.
    int64_t tile() const { return heads > 1 ? width : std::min<int64_t>(64, columns()); }
};

// Which elements a hypothesis is asked for.
struct Part {
    std::vector<int64_t> rows;
    std::vector<int64_t> columns;  // of logits only; empty: all
    int64_t width(const TapValues& tap) const {
        return columns.empty() ? tap.columns() : static_cast<int64_t>(columns.size());
    }
    int64_t column(int64_t index) const {
        return columns.empty() ? index : columns[static_cast<size_t>(index)];
    }
};

// The outputs that a hypothesis foretells, per tap [part.rows, part.columns]. A tap without values
// is as truth has it. NaN: not written.
struct Prediction {
    std::vector<std::vector<double>> taps;
    // Expected size of what the fault adds to the noise of each element; empty: nothing.
    std::vector<std::vector<double>> noise;
    // Sums are rounded on the way: where one is all but halfway between two values, a path may
    // round to the other, and a few elements are then apart by more than noise.
    bool flips = false;
};

class DiagnosisCase {
  public:
    static Result<std::unique_ptr<DiagnosisCase>> create(const DiagnosisRequest& request);

    StepId step() const { return step_id(step_case_->runs.truth.args); }
    // As truth was given them: activations f32 and contiguous, weights as the model has them.
    const StepArgs& args() const { return step_case_->runs.truth.args; }
    template <class Args>
    const Args& args_as() const {
        return std::get<Args>(args());
    }
    const StepCase& step_case() const { return *step_case_; }
    const Model* model() const { return model_; }
    int layer() const { return step_context(args()).layer; }
    int64_t first_row() const { return step_context(args()).first_row; }
    int64_t rows() const { return rows_; }
    DType dtype() const { return dtype_; }
    // The expected error of one rounding to dtype(), as a share of the value.
    double rounding() const { return rounding_; }
    bool can_run() const { return can_run_; }

    const std::vector<TapValues>& taps() const { return taps_; }
    const TapValues* tap(std::string_view name) const;
    size_t tap_index(std::string_view name) const;  // of a tap that is there
    // Takes another run of the candidate for the one that is explained.
    void set_candidate(const StepArgs& run);

    ThreadPool& pool() const { return *pool_; }

    // Every element.
    Part everything() const;
    // Rows and columns enough to tell hypotheses apart: the first and last rows, those with the
    // largest errors, some between.
    Part sample(int64_t most_rows) const;

    // The layers whose weights may have been taken for this one's: up to two before and after.
    struct Neighbour {
        int layer;
        const LayerWeights& weights;
        // 0: the one that the catalogue's faults take (the next; of the last layer the one before);
        // 1: another.
        int freedom;
        std::string name() const { return "layer " + std::to_string(layer); }
        std::map<std::string, std::string> parameters() const {
            return {{"layer", std::to_string(layer)}};
        }
    };
    std::vector<Neighbour> neighbours() const;

    // What hypotheses compute once and share, by name.
    template <class T, class Make>
    const T& shared(const std::string& name, const Make& make) const {
        std::shared_ptr<void>& slot = shared_[name];
        if (!slot) slot = std::make_shared<T>(make());
        return *static_cast<const T*>(slot.get());
    }

  private:
    DiagnosisCase() = default;
    void estimate_noise(TapValues& tap) const;

    const StepCase* step_case_ = nullptr;
    const Model* model_ = nullptr;
    int64_t rows_ = 0;
    DType dtype_ = DType::bf16;
    double rounding_ = 0;
    bool can_run_ = false;
    std::vector<TapValues> taps_;
    std::unique_ptr<ThreadPool> pool_;
    mutable std::map<std::string, std::shared_ptr<void>> shared_;
};

// The values of a tensor with any strides, row-major.
std::vector<float> values_on_host(const Tensor& tensor);

}  // namespace lockstep
