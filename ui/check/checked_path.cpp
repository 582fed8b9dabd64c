// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/check/checked_path.h"

#include <QJsonArray>
#include <algorithm>

#include "core/inspect/report.h"
#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

QString nameOf(StepId step) {
    const std::string_view name = step_name(step);
    return QString::fromUtf8(name.data(), qsizetype(name.size()));
}

QString placeOf(int layer, StepId step) {
    if (step == StepId::embed || step == StepId::logits) return nameOf(step);
    return QStringLiteral("layer %1 %2").arg(layer).arg(nameOf(step));
}

bool stepNamed(const QString& name, StepId* step) {
    for (int i = 0; i < step_count; ++i) {
        if (nameOf(static_cast<StepId>(i)) != name) continue;
        *step = static_cast<StepId>(i);
        return true;
    }
    return false;
}

bool parts(const StepComparison& step) {
    return std::any_of(step.taps.begin(), step.taps.end(),
                       [](const TapComparison& tap) { return tap.verdict.diverged; });
}

CheckedPath::State stateOf(const CheckedPath& checked) {
    const bool fine = checked.parted.isEmpty() && !checked.drifts;
    return fine ? CheckedPath::State::matches : CheckedPath::State::diverges;
}

}  // namespace

QString CheckedPath::partsIn(const PathChoice& choice) const {
    const std::string name = path.toStdString();
    for (const PartedStep& step : parted) {
        if (choice.steps[size_t(step.step)] == name) return step.where;
    }
    const bool taken =
        std::find(choice.steps.begin(), choice.steps.end(), name) != choice.steps.end();
    return drifts && taken ? QStringLiteral("drift") : QString();
}

CheckedPath checkedPath(const QString& path, const Comparison& comparison) {
    CheckedPath checked;
    checked.path = path;
    checked.sentence = QString::fromStdString(comparison_sentence(comparison));
    const auto known = [&](StepId step) {
        return std::any_of(checked.parted.begin(), checked.parted.end(),
                           [&](const PartedStep& other) { return other.step == step; });
    };
    for (const LayerComparison& layer : worst_layers(comparison)) {
        for (const StepComparison& step : layer.steps) {
            if (parts(step) && !known(step.step))
                checked.parted.push_back({placeOf(layer.layer, step.step), step.step});
        }
    }
    checked.drifts = comparison.drift_unexplained;
    checked.state = stateOf(checked);
    return checked;
}

QJsonObject toJson(const CheckedPath& checked) {
    QJsonArray parted;
    for (const PartedStep& step : checked.parted) {
        parted.append(QJsonObject{{QStringLiteral("where"), step.where},
                                  {QStringLiteral("step"), nameOf(step.step)}});
    }
    return {{QStringLiteral("path"), checked.path},
            {QStringLiteral("parted"), parted},
            {QStringLiteral("drifts"), checked.drifts},
            {QStringLiteral("sentence"), checked.sentence}};
}

CheckedPath checkedPathFromJson(const QJsonObject& json) {
    CheckedPath checked;
    checked.path = json[QLatin1String("path")].toString();
    checked.sentence = json[QLatin1String("sentence")].toString();
    if (!json[QLatin1String("parted")].isArray()) return checked;
    for (const QJsonValue value : json[QLatin1String("parted")].toArray()) {
        PartedStep step;
        step.where = value[QLatin1String("where")].toString();
        if (!stepNamed(value[QLatin1String("step")].toString(), &step.step)) return checked;
        checked.parted.push_back(step);
    }
    checked.drifts = json[QLatin1String("drifts")].toBool();
    checked.state = stateOf(checked);
    return checked;
}

}  // namespace lockstep
