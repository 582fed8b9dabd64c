// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/run_history_model.h"

#include <QLocale>

#include "ui/inspector/figures.h"
#include "ui/inspector/result_line.h"

namespace lockstep {

QString verdictText(const Comparison& comparison) {
    if (!comparison.first)
        return comparison.drift_unexplained ? RunHistoryModel::tr("drifts")
                                            : RunHistoryModel::tr("match");
    const Divergence& first = *comparison.first;
    const int layers = int(comparison.passes.front().layers.size()) - 2;
    return RunHistoryModel::tr("%1, %2 %3")
        .arg(layerText(first.layer, layers), stepText(first.step), toText(first.tensor));
}

void RunHistoryModel::add(SharedRun run) {
    if (runs_.size() >= most_runs) {
        beginRemoveRows({}, int(runs_.size()) - 1, int(runs_.size()) - 1);
        runs_.removeLast();
        endRemoveRows();
    }
    beginInsertRows({}, 0, 0);
    runs_.prepend(std::move(run));
    endInsertRows();
}

void RunHistoryModel::clear() {
    beginResetModel();
    runs_.clear();
    endResetModel();
}

int RunHistoryModel::rowOf(const Inspection& inspection) const {
    for (int row = 0; row < runs_.size(); ++row)
        if (&runs_[row]->inspection() == &inspection) return row;
    return -1;
}

int RunHistoryModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(runs_.size());
}

int RunHistoryModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : column_count;
}

QVariant RunHistoryModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const InspectionRun& run = *runs_[index.row()];
    const Comparison& comparison = run.comparison();
    if (role == Qt::ToolTipRole) return resultText(run.inspection());
    if (role == Qt::UserRole) return comparison.diverged() || comparison.drift_unexplained;
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case number:
            return QString::number(run.number);
        case time:
            return QLocale().toString(run.when.time(), QLocale::ShortFormat);
        case candidate:
            return QString::fromStdString(comparison.candidate);
        case against:
            return QString::fromStdString(comparison.reference);
        case prompt:
            return run.prompt;
        default:
            return verdictText(comparison);
    }
}

QVariant RunHistoryModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case number:
            return tr("Run");
        case time:
            return tr("Time");
        case candidate:
            return tr("Candidate");
        case against:
            return tr("Against");
        case prompt:
            return tr("Prompt");
        case verdict:
            return tr("Parts in");
        default:
            return {};
    }
}

}  // namespace lockstep
