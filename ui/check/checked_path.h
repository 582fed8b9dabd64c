// SPDX-License-Identifier: GPL-3.0-or-later
// What is known of one path with one model: whether it computes what the reference does.
#pragma once

#include <QJsonObject>
#include <QString>
#include <QVector>

#include "core/inspect/comparison.h"
#include "core/run/path_choice.h"

namespace lockstep {

struct PartedStep {
    QString where;  // "embed", "layer 3 qkv", "logits"
    StepId step = StepId::embed;
    bool operator==(const PartedStep&) const = default;
};

struct CheckedPath {
    enum class State { unknown, checking, matches, diverges, failed };

    QString path;  // "fused"
    State state = State::unknown;
    // Of each step that diverges the first place where it does, in the order of execution.
    QVector<PartedStep> parted;
    // No step diverges by itself, but what they make together does.
    bool drifts = false;
    QString sentence;  // what was found, or why it could not be looked at

    // What a choice is concerned with: where the first step that it takes from this path diverges;
    // empty where none does.
    QString partsIn(const PathChoice& choice) const;
    bool operator==(const CheckedPath&) const = default;
};

CheckedPath checkedPath(const QString& path, const Comparison& comparison);
QJsonObject toJson(const CheckedPath& checked);
// State::unknown where it is not what toJson() writes.
CheckedPath checkedPathFromJson(const QJsonObject& json);

}  // namespace lockstep
