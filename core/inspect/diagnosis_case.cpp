// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_case.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/inspect/dense_runs.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

// A rounding error is spread evenly over one unit in the last place.
double rounding_of(DType dtype) {
    switch (dtype) {
        case DType::bf16:
            return 0x1p-8 / std::sqrt(12.0) * 1.5;
        case DType::f16:
            return 0x1p-11 / std::sqrt(12.0) * 1.5;
        default:
            return 0x1p-24 / std::sqrt(12.0) * 1.5;
    }
}

double median(std::vector<double>& values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

// Mean, of which single outliers are kept from being most.
double steady_mean(const std::vector<double>& squares) {
    std::vector<double> sorted = squares;
    const double most = 9 * median(sorted);
    double sum = 0;
    for (const double square : squares) sum += std::min(square, most);
    return squares.empty() ? 0 : sum / static_cast<double>(squares.size());
}

TapValues values_of_tap(const NamedTensor& tap) {
    TapValues values;
    values.name = tap.name;
    const Tensor& tensor = tap.tensor;
    values.heads = tensor.rank == 3 ? tensor.shape[1] : 1;
    values.width = tensor.shape[tensor.rank - 1];
    values.truth = values_on_host(tensor);
    return values;
}

}  // namespace

std::vector<float> values_on_host(const Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.numel()));
    // The body can't fail.
    (void)for_each_dense_run(tensor, [&](int64_t offset, int64_t index, int64_t count) -> Status {
        widen(tensor.as<char>() + dtype_bytes(tensor.dtype, offset), tensor.dtype, count,
              values.data() + index);
        return {};
    });
    return values;
}

Result<std::unique_ptr<DiagnosisCase>> DiagnosisCase::create(const DiagnosisRequest& request) {
    if (!request.step || !request.model)
        return fail(ErrorKind::invalid_argument, "a diagnosis needs a step and its model");
    std::unique_ptr<DiagnosisCase> made(new DiagnosisCase());
    made->step_case_ = request.step;
    made->model_ = request.model.get();
    made->dtype_ = request.model->dtype;
    made->rounding_ = rounding_of(made->dtype_);
    made->can_run_ = static_cast<bool>(request.run_again);
    made->pool_ = std::make_unique<ThreadPool>(request.threads);
    const StepRuns& runs = request.step->runs;
    const auto reference = step_taps(runs.reference.args, false);
    const auto candidate = step_taps(runs.candidate.args, false);
    for (const NamedTensor& truth : step_taps(runs.truth.args, false)) {
        const auto same = [&](const NamedTensor& tap) { return tap.name == truth.name; };
        const auto ours = std::find_if(candidate.begin(), candidate.end(), same);
        const auto noisy = std::find_if(reference.begin(), reference.end(), same);
        if (ours == candidate.end() || noisy == reference.end()) continue;
        TapValues tap = values_of_tap(truth);
        tap.candidate = values_on_host(ours->tensor);
        tap.reference = values_on_host(noisy->tensor);
        if (tap.candidate.size() != tap.truth.size() || tap.reference.size() != tap.truth.size()) {
            return fail(ErrorKind::invalid_argument,
                        tap.name + " has another shape than truth's: it can't be diagnosed");
        }
        made->rows_ = truth.tensor.shape[0];
        made->estimate_noise(tap);
        made->taps_.push_back(std::move(tap));
    }
    if (made->taps_.empty())
        return fail(ErrorKind::invalid_argument, "the step has no output to be explained");
    return made;
}

void DiagnosisCase::set_candidate(const StepArgs& run) {
    for (const NamedTensor& other : step_taps(run, false)) {
        for (TapValues& tap : taps_) {
            if (tap.name == other.name) tap.candidate = values_on_host(other.tensor);
        }
    }
}

void DiagnosisCase::estimate_noise(TapValues& tap) const {
    const int64_t columns = tap.columns(), tile = tap.tile();
    std::vector<double> all_errors, all_values;
    const auto error = [&](size_t i) {
        const double e = static_cast<double>(tap.reference[i]) - tap.truth[i];
        return std::isfinite(e) ? e * e : 0;
    };
    for (size_t i = 0; i < tap.truth.size(); ++i) {
        if (!std::isfinite(tap.truth[i])) continue;
        all_errors.push_back(error(i));
        all_values.push_back(static_cast<double>(tap.truth[i]) * tap.truth[i]);
    }
    const double values = steady_mean(all_values);
    // Relative noise of the whole: no piece has much less, the reference was lucky there.
    const double share = values > 0 ? steady_mean(all_errors) / values : 0;
    tap.noise.resize(tap.truth.size());
    std::vector<double> errors, squares;
    for (int64_t row = 0; row < rows_; ++row) {
        for (int64_t first = 0; first < columns; first += tile) {
            const int64_t last = std::min(first + tile, columns);
            errors.clear();
            squares.clear();
            for (int64_t c = first; c < last; ++c) {
                const auto i = static_cast<size_t>(row * columns + c);
                errors.push_back(error(i));
                squares.push_back(static_cast<double>(tap.truth[i]) * tap.truth[i]);
            }
            const double least = 0.25 * share * steady_mean(squares);
            const double noise = std::sqrt(std::max(steady_mean(errors), least));
            std::fill_n(tap.noise.begin() + row * columns + first, last - first,
                        static_cast<float>(noise));
        }
    }
    for (size_t i = 0; i < tap.truth.size(); ++i) {
        const double expected = std::hypot(tap.noise[i], rounding_ * tap.truth[i]);
        if (expected > 0)
            tap.largest_reference_z =
                std::max(tap.largest_reference_z, std::sqrt(error(i)) / expected);
    }
}

const TapValues* DiagnosisCase::tap(std::string_view name) const {
    for (const TapValues& each : taps_) {
        if (each.name == name) return &each;
    }
    return nullptr;
}

size_t DiagnosisCase::tap_index(std::string_view name) const {
    return static_cast<size_t>(tap(name) - taps_.data());
}

std::vector<DiagnosisCase::Neighbour> DiagnosisCase::neighbours() const {
    const auto& layers = model_->weights.layers;
    const int last = static_cast<int>(layers.size()) - 1;
    const int usual = layer() == last ? last - 1 : layer() + 1;
    std::vector<Neighbour> near;
    for (int other = std::max(0, layer() - 2); other <= std::min(last, layer() + 2); ++other) {
        if (other != layer())
            near.push_back({other, layers[static_cast<size_t>(other)], other == usual ? 0 : 1});
    }
    return near;
}

Part DiagnosisCase::everything() const {
    Part part;
    part.rows.resize(static_cast<size_t>(rows_));
    std::iota(part.rows.begin(), part.rows.end(), 0);
    return part;
}

Part DiagnosisCase::sample(int64_t most_rows) const {
    if (rows_ <= most_rows) return everything();
    // Each row's worst error, in units of its noise.
    std::vector<double> errors(static_cast<size_t>(rows_));
    for (const TapValues& tap : taps_) {
        const int64_t columns = tap.columns();
        for (size_t i = 0; i < tap.truth.size(); ++i) {
            const double e = std::abs(static_cast<double>(tap.candidate[i]) - tap.truth[i]);
            const double z = std::isfinite(e) ? e / (tap.noise[i] + 1e-30) : HUGE_VAL;
            double& worst = errors[i / static_cast<size_t>(columns)];
            worst = std::max(worst, z);
        }
    }
    std::vector<int64_t> by_error(static_cast<size_t>(rows_));
    std::iota(by_error.begin(), by_error.end(), 0);
    std::stable_sort(by_error.begin(), by_error.end(), [&](int64_t a, int64_t b) {
        return errors[static_cast<size_t>(a)] > errors[static_cast<size_t>(b)];
    });
    Part part;
    const auto take = [&](int64_t row) {
        if (static_cast<int64_t>(part.rows.size()) < most_rows &&
            std::find(part.rows.begin(), part.rows.end(), row) == part.rows.end())
            part.rows.push_back(row);
    };
    for (const int64_t row : {int64_t{0}, rows_ - 1, by_error[0], int64_t{1}, rows_ - 2}) take(row);
    for (size_t i = 1; i < by_error.size() && i < static_cast<size_t>(most_rows) / 2; ++i)
        take(by_error[i]);
    for (int64_t i = 1; i < most_rows; ++i) take(i * (rows_ - 1) / most_rows);
    std::sort(part.rows.begin(), part.rows.end());
    return part;
}

}  // namespace lockstep
