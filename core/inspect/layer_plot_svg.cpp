// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <array>
#include <cmath>

#include "core/inspect/html_figures.h"
#include "core/inspect/markup.h"
#include "core/inspect/report.h"
#include "core/inspect/svg.h"

namespace lockstep {
namespace {

constexpr double width = 960, height = 420, left = 64, right = 20, top = 40, bottom = 52;

struct Series {
    const char* name;  // of its class in the style sheet
    const char* title;
    double (*figure)(const TapComparison&);
};

double or_infinity(const ErrorFigures& figures) {
    return figures.non_finite ? INFINITY : figures.max_abs;
}

constexpr std::array<Series, 3> all_series{{
    {"drift", "drift", [](const TapComparison& tap) { return or_infinity(tap.drift); }},
    {"floor", "noise floor", [](const TapComparison& tap) { return or_infinity(tap.noise_floor); }},
    {"local", "local", [](const TapComparison& tap) { return or_infinity(tap.local); }},
}};

// Whole decades, with a band below them for 0 and one above for what is not finite.
class LogAxis {
  public:
    explicit LogAxis(const std::vector<LayerPoint>& points) {
        for (const LayerPoint& point : points) {
            for (const Series& series : all_series) take(series.figure(*point.tap));
        }
        if (first_ > last_) first_ = last_ = -3;
        if (first_ == last_) ++last_;
    }
    int first() const { return first_; }
    int last() const { return last_; }
    bool has_zero() const { return has_zero_; }
    bool has_infinity() const { return has_infinity_; }
    double y(double value) const {
        if (value == 0) return height - bottom - band / 2;
        if (!std::isfinite(value)) return top + band / 2;
        const double low = height - bottom - (has_zero_ ? band : 0);
        const double high = top + (has_infinity_ ? band : 0);
        return low - (std::log10(value) - first_) / (last_ - first_) * (low - high);
    }

  private:
    static constexpr double band = 40;
    void take(double value) {
        has_zero_ = has_zero_ || value == 0;
        has_infinity_ = has_infinity_ || !std::isfinite(value);
        if (value == 0 || !std::isfinite(value)) return;
        first_ = std::min(first_, static_cast<int>(std::floor(std::log10(value))));
        last_ = std::max(last_, static_cast<int>(std::ceil(std::log10(value))));
    }
    int first_ = 400, last_ = -400;
    bool has_zero_ = false, has_infinity_ = false;
};

class LayerPlot {
  public:
    LayerPlot(const std::vector<LayerComparison>& layers, const std::optional<Divergence>& first)
        : layers_(layers), first_(first), points_(layer_points(layers)), axis_(shown(points_)) {
        layers_in_all_ = layers.size() < 2 ? 0 : layers.size() - 2;
    }

    std::string svg() {
        std::string text =
            "<svg class=\"plot\" role=\"img\" viewBox=\"0 0 960 420\" "
            "aria-label=\"Largest error of each layer on a log axis; the table below "
            "has the figures\">\n";
        text += grid() + layer_labels() + divergence_line();
        for (const Series& series : all_series) text += line(series);
        text += markers() + legend();
        return text + "</svg>\n";
    }

  private:
    static std::vector<LayerPoint> shown(const std::vector<LayerPoint>& points) {
        std::vector<LayerPoint> kept;
        std::copy_if(points.begin(), points.end(), std::back_inserter(kept),
                     [](const LayerPoint& point) { return point.tap != nullptr; });
        return kept;
    }
    double x(size_t index) const {
        const double steps = std::max<double>(1, static_cast<double>(layers_.size()) - 1);
        return left + 14 + static_cast<double>(index) / steps * (width - left - right - 28);
    }

    std::string grid() const {
        std::string text;
        const auto tick = [&](double value, const std::string& label) {
            const double y = axis_.y(value);
            text += svg_line("grid", left, y, width - right, y);
            text += svg_text("tick end", left - 8, y + 4, label);
        };
        const int decades = axis_.last() - axis_.first();
        const int step = std::max(1, (decades + 9) / 10);
        for (int decade = axis_.first(); decade <= axis_.last(); decade += step)
            tick(std::pow(10.0, decade), "1e" + std::to_string(decade));
        if (axis_.has_zero()) tick(0, "0");
        if (axis_.has_infinity()) tick(INFINITY, "not finite");
        return text +
               "<text class=\"axis\" transform=\"translate(14 210) rotate(-90)\" "
               "text-anchor=\"middle\">largest error</text>\n";
    }

    std::string layer_labels() const {
        std::string text;
        const size_t every = std::max<size_t>(1, (layers_in_all_ + 19) / 20);
        for (size_t i = 0; i < layers_.size(); ++i) {
            const bool layer = i > 0 && i + 1 < layers_.size();
            // embed and logits are words: the numbers next to them would touch.
            const bool crowded = layers_in_all_ > 16 && (i < 2 || i + 3 > layers_.size());
            if (layer && (crowded || (i - 1) % every != 0)) continue;
            const std::string label = layer ? std::to_string(layers_[i].layer)
                                            : layer_name(layers_[i].layer, layers_in_all_);
            text += svg_text("tick middle", x(i), height - bottom + 20, label);
        }
        return text + svg_text("axis middle", (left + width - right) / 2, height - 10, "layer");
    }

    std::string divergence_line() const {
        if (!first_) return {};
        for (size_t i = 0; i < layers_.size(); ++i) {
            if (layers_[i].layer != first_->layer) continue;
            const std::string label = layer_name(first_->layer, layers_in_all_) + ", " +
                                      std::string(step_name(first_->step)) + ": " + first_->tensor;
            const bool on_right = i > layers_.size() / 2;
            return svg_line("first", x(i), top - 6, x(i), height - bottom) +
                   svg_text(on_right ? "first-label end" : "first-label",
                            x(i) + (on_right ? -8 : 8), top + 6, label);
        }
        return {};
    }

    std::string line(const Series& series) const {
        std::string path;
        for (size_t i = 0; i < points_.size(); ++i) {
            if (!points_[i].tap) continue;
            path += (path.empty() ? "M" : "L") + svg_number(x(i)) + ' ' +
                    svg_number(axis_.y(series.figure(*points_[i].tap)));
        }
        return "<path class=\"line " + std::string(series.name) + "\" d=\"" + path + "\"/>\n";
    }

    std::string markers() const {
        std::string text;
        for (size_t i = 0; i < points_.size(); ++i) {
            const LayerPoint& point = points_[i];
            if (!point.tap) continue;
            text += "<g><title>" + escape_html(title(point)) + "</title>";
            for (const Series& series : all_series) {
                const double y = axis_.y(series.figure(*point.tap));
                text += "<circle class=\"mark " + std::string(series.name) + "\" cx=\"" +
                        svg_number(x(i)) + "\" cy=\"" + svg_number(y) + "\" r=\"3\"/>";
            }
            if (point.tap->verdict.diverged) {
                text += "<circle class=\"ring\" cx=\"" + svg_number(x(i)) + "\" cy=\"" +
                        svg_number(axis_.y(or_infinity(point.tap->local))) + "\" r=\"8\"/>";
            }
            text += "</g>\n";
        }
        return text;
    }

    std::string title(const LayerPoint& point) const {
        return layer_name(point.layer, layers_in_all_) + ", " + std::string(step_name(point.step)) +
               ", " + point.tap->tensor + ": drift " + short_figure(or_infinity(point.tap->drift)) +
               ", local " + short_figure(or_infinity(point.tap->local)) + ", noise floor " +
               short_figure(or_infinity(point.tap->noise_floor)) +
               (point.tap->verdict.diverged ? ", diverged" : "");
    }

    static std::string legend() {
        std::string text;
        double at = left + 14;
        for (const Series& series : all_series) {
            const std::string name = series.name;
            text += "<path class=\"line " + name + "\" d=\"M" + svg_number(at) + " 16h26\"/>";
            text += "<circle class=\"mark " + name + "\" cx=\"" + svg_number(at + 13) +
                    "\" cy=\"16\" r=\"3\"/>";
            text += svg_text("tick", at + 34, 20, series.title);
            at += 130;
        }
        text += "<circle class=\"ring\" cx=\"" + svg_number(at + 8) + "\" cy=\"16\" r=\"8\"/>";
        return text + svg_text("tick", at + 24, 20, "diverged");
    }

    const std::vector<LayerComparison>& layers_;
    const std::optional<Divergence>& first_;
    std::vector<LayerPoint> points_;
    LogAxis axis_;
    size_t layers_in_all_ = 0;
};

double over_floor(const TapComparison& tap) {
    if (tap.local.non_finite) return INFINITY;
    return tap.local.max_abs / std::max(tap.noise_floor.max_abs, 1e-30);
}

bool says_more(const TapComparison& tap, const TapComparison* than) {
    if (!than) return true;
    if (tap.verdict.diverged != than->verdict.diverged) return tap.verdict.diverged;
    if (tap.verdict.diverged) return over_floor(tap) > over_floor(*than);
    return tap.local.max_abs > than->local.max_abs;
}

}  // namespace

std::vector<LayerPoint> layer_points(const std::vector<LayerComparison>& layers) {
    std::vector<LayerPoint> points;
    for (const LayerComparison& layer : layers) {
        LayerPoint point{layer.layer, StepId::embed, nullptr};
        for (const StepComparison& step : layer.steps) {
            for (const TapComparison& tap : step.taps) {
                if (says_more(tap, point.tap)) point = {layer.layer, step.step, &tap};
            }
        }
        points.push_back(point);
    }
    return points;
}

std::string layer_plot_svg(const std::vector<LayerComparison>& layers,
                           const std::optional<Divergence>& first) {
    return LayerPlot(layers, first).svg();
}

}  // namespace lockstep
