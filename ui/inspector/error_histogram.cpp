// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/error_histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ui/inspector/figures.h"
#include "ui/theme/colors.h"

namespace lockstep {
namespace {

double edge(int exponent) {
    return std::ldexp(1, exponent);
}

struct Spread {  // one path's part of an ErrorHistogram
    int first_exponent;
    const std::vector<int64_t>& bins;
    int64_t exact, not_finite;
    int64_t total() const {
        return std::max<int64_t>(1, std::accumulate(bins.begin(), bins.end(), exact + not_finite));
    }
};

// As a staircase: a point at each bin's lower edge, and one that closes it.
void drawStairs(QCPGraph* graph, const Spread& spread) {
    const auto all = double(spread.total());
    QVector<double> x, y;
    for (size_t i = 0; i < spread.bins.size(); ++i) {
        x << edge(spread.first_exponent + int(i));
        y << 100 * double(spread.bins[i]) / all;
    }
    x << edge(spread.first_exponent + int(spread.bins.size()));
    y << 0;
    graph->setData(x, y, true);
}

QString summary(const QString& name, const Spread& spread) {
    const auto most = std::max_element(spread.bins.begin(), spread.bins.end());
    QString text = ErrorHistogramView::tr("%1: %2 equal to truth")
                       .arg(name, shareText(double(spread.exact) / double(spread.total())));
    if (most != spread.bins.end() && *most > 0) {
        const int exponent = spread.first_exponent + int(most - spread.bins.begin());
        text += ErrorHistogramView::tr(", most between %1 and %2")
                    .arg(figureText(edge(exponent)), figureText(edge(exponent + 1)));
    }
    if (spread.not_finite > 0)
        text += ErrorHistogramView::tr(", %1 not finite").arg(spread.not_finite);
    return text;
}

}  // namespace

ErrorHistogramView::ErrorHistogramView(QWidget* parent) : PlotWidget(parent) {
    setObjectName(QStringLiteral("error_histogram"));
    setAccessibleName(tr("Spread of the errors against truth"));
    setDecades(xAxis);
    xAxis->setLabel(tr("|error against truth|"));
    yAxis->setLabel(tr("% of elements"));
    yAxis->setSubTicks(false);
    reference_ = addGraph();
    candidate_ = addGraph();
    reference_->setName(tr("reference (noise floor)"));
    candidate_->setName(tr("candidate"));
    for (QCPGraph* graph : {candidate_, reference_}) {
        graph->setLineStyle(QCPGraph::lsStepLeft);
        graph->setSelectable(QCP::stNone);
        graph->addToLegend();
    }
    putLegendAbove();
    setMinimumSize(unit() * 12, unit() * 7);
}

void ErrorHistogramView::setDetail(std::shared_ptr<const TapDetail> detail) {
    detail_ = std::move(detail);
    fill();
}

void ErrorHistogramView::fill() {
    for (QCPGraph* graph : {reference_, candidate_}) graph->data()->clear();
    if (!detail_) {
        setReadout({});
        return replot(QCustomPlot::rpQueuedReplot);
    }
    const ErrorHistogram& histogram = detail_->figures.histogram;
    const Spread candidate{histogram.first_exponent, histogram.candidate, histogram.candidate_exact,
                           histogram.candidate_not_finite};
    const Spread reference{histogram.first_exponent, histogram.reference, histogram.reference_exact,
                           0};
    drawStairs(reference_, reference);
    drawStairs(candidate_, candidate);
    rescaleAxes();
    yAxis->setRange(0, std::max(1.0, yAxis->range().upper * 1.08));
    xAxis->setRange(xAxis->range().lower / 1.5, xAxis->range().upper * 1.5);
    setReadout(summary(candidate_->name(), candidate) + QStringLiteral(". ") +
               summary(reference_->name(), reference) + QLatin1Char('.'));
    replot(QCustomPlot::rpQueuedReplot);
}

void ErrorHistogramView::dress(const ThemeColors& colors) {
    const auto fill_of = [](QColor color) {
        color.setAlphaF(0.18F);
        return color;
    };
    reference_->setPen(QPen(colors.noise_floor, 1.5, Qt::DashLine));
    reference_->setBrush(fill_of(colors.noise_floor));
    candidate_->setPen(QPen(colors.local, 2));
    candidate_->setBrush(fill_of(colors.local));
    legend->setIconSize(unit() * 3 / 2, unit() * 3 / 4);
}

}  // namespace lockstep
