// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/figures.h"

#include <QCoreApplication>
#include <cmath>

#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("Inspector", text);
}

}  // namespace

QString toText(std::string_view utf8) {
    return QString::fromUtf8(utf8.data(), qsizetype(utf8.size()));
}

QString figureText(double value) {
    if (!std::isfinite(value)) return tr("not finite");
    if (value == 0) return QStringLiteral("0");
    if (std::abs(value) >= 1000 && std::abs(value) < 1e6) return QString::number(value, 'f', 0);
    return QString::number(value, 'g', 3);
}

QString shareText(double share) {
    // Rounded down, as in the report's sentence.
    QString percent = QString::number(std::floor(share * 1e4 + 1e-6) / 100, 'f', 2);
    if (share < 1 && percent == QLatin1String("100.00")) percent = QStringLiteral("99.99");
    if (share >= 1) percent = QStringLiteral("100");
    if (share <= 0) percent = QStringLiteral("0");
    if (share > 0 && percent == QLatin1String("0.00")) percent = QStringLiteral("<0.01");
    return percent + QStringLiteral(" %");
}

QString cosineText(double cosine) {
    QString text = QString::number(cosine, 'f', 6);
    if (cosine < 1 && text == QLatin1String("1.000000")) text = QStringLiteral("0.999999");
    return cosine == 1 ? QStringLiteral("1") : text;
}

QString layerText(int layer, int num_hidden_layers) {
    const QString name = layerShortText(layer, num_hidden_layers);
    return layer < 0 || layer >= num_hidden_layers ? name : tr("layer %1").arg(name);
}

QString layerShortText(int layer, int num_hidden_layers) {
    if (layer < 0) return QStringLiteral("embed");
    return layer >= num_hidden_layers ? QStringLiteral("logits") : QString::number(layer);
}

QString stepText(StepId step) {
    return toText(step_name(step));
}

QString metricTitle(Metric metric) {
    switch (metric) {
        case Metric::max_abs:
            return tr("Max error");
        case Metric::rms:
            return tr("RMS error");
        case Metric::max_rel:
            return tr("Max relative error");
        case Metric::max_ulp:
            return tr("Max error in ULPs");
        case Metric::cosine_distance:
            return tr("1 − cosine");
        case Metric::outside_1e3:
            return tr("Share outside 1e-3");
    }
    return {};
}

QString metricKey(Metric metric) {
    switch (metric) {
        case Metric::max_abs:
            return QStringLiteral("max_abs");
        case Metric::rms:
            return QStringLiteral("rms");
        case Metric::max_rel:
            return QStringLiteral("max_rel");
        case Metric::max_ulp:
            return QStringLiteral("max_ulp");
        case Metric::cosine_distance:
            return QStringLiteral("cosine_distance");
        case Metric::outside_1e3:
            return QStringLiteral("outside_1e3");
    }
    return {};
}

QString pointText(const PlotPoint& point, int num_hidden_layers) {
    const QString place = layerText(point.layer, num_hidden_layers);
    const QString step = stepText(point.step);
    QString text = step == place ? tr("%1, %2").arg(place, toText(point.tensor))
                                 : tr("%1, %2 %3").arg(place, step, toText(point.tensor));
    text +=
        tr(": drift %1, local %2, noise floor %3")
            .arg(figureText(point.drift), figureText(point.local), figureText(point.noise_floor));
    return point.diverged ? text + tr(", diverged") : text;
}

}  // namespace lockstep
