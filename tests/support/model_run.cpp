// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/model_run.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/step_transfer.h"

namespace lockstep::test {
namespace {

std::vector<float> values_of(const Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.numel()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = element(tensor, static_cast<int64_t>(i));
    return values;
}

class HiddenStates final : public StepObserver {
  public:
    Status after_step(const StepArgs& args, bool, Stream& stream) override {
        if (const auto* embed = std::get_if<EmbedArgs>(&args)) return keep(embed->hidden, stream);
        if (const auto* down = std::get_if<DownArgs>(&args)) return keep(down->hidden, stream);
        return {};
    }
    std::vector<std::vector<float>> kept;

  private:
    Status keep(const Tensor& hidden, Stream& stream) {
        std::vector<Buffer> copies;
        LOCKSTEP_ASSIGN(const Tensor here, bring_to_host(hidden, copies, stream));
        kept.push_back(values_of(here));
        return {};
    }
};

}  // namespace

Result<ModelRun> run_model(const std::shared_ptr<const Model>& model, const KernelPath& path,
                           std::span<const int32_t> ids) {
    LOCKSTEP_ASSIGN(const auto session,
                    Session::create(model, device_of(*model), 2, static_cast<int64_t>(ids.size())));
    HiddenStates hidden;
    ForwardOptions options;
    options.observer = &hidden;
    options.all_logits = true;
    LOCKSTEP_ASSIGN(const Tensor logits, Forward::run(*session, path, ids, options));
    return ModelRun{std::move(hidden.kept), values_of(logits)};
}

void ErrorSum::add(std::span<const float> values, std::span<const float> expected) {
    if (values.size() != expected.size() || values.empty())
        max_ = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < std::min(values.size(), expected.size()); ++i) {
        const double error =
            std::abs(static_cast<double>(values[i]) - static_cast<double>(expected[i]));
        max_ =
            std::max(max_, std::isfinite(error) ? error : std::numeric_limits<double>::infinity());
        squares_ += error * error;
        ++count_;
    }
}

void ErrorSum::add_figures(double rms, double max, int64_t count) {
    max_ = std::max(max_, max);
    squares_ += rms * rms * static_cast<double>(count);
    count_ += static_cast<size_t>(count);
}

double ErrorSum::rms() const {
    return count_ ? std::sqrt(squares_ / static_cast<double>(count_)) : 0;
}

std::string outside_tolerance(std::span<const float> values, std::span<const float> expected,
                              double relative, double absolute) {
    if (values.size() != expected.size() || values.empty())
        return std::to_string(values.size()) + " values where " + std::to_string(expected.size()) +
               " are expected";
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        const double allowed = absolute + relative * std::abs(static_cast<double>(expected[i]));
        const double error =
            std::abs(static_cast<double>(values[i]) - static_cast<double>(expected[i]));
        const double share =
            std::isfinite(error) ? error / allowed : std::numeric_limits<double>::infinity();
        if (share > worst) {
            worst = share;
            at = i;
        }
    }
    if (worst <= 1) return {};
    return "value " + std::to_string(at) + " is " + std::to_string(values[at]) + " where " +
           std::to_string(expected[at]) + " is expected: " + std::to_string(worst) +
           " times the tolerance";
}

std::vector<float> sample(std::span<const float> values, int64_t columns,
                          std::span<const int64_t> rows, int64_t step) {
    std::vector<float> picked;
    for (const int64_t row : rows) {
        for (int64_t column = 0; column < columns; column += step)
            picked.push_back(values[static_cast<size_t>(row * columns + column)]);
    }
    return picked;
}

}  // namespace lockstep::test
