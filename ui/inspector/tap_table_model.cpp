// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/tap_table_model.h"

#include "ui/inspector/figures.h"

namespace lockstep {

void TapTableModel::setLayer(const LayerComparison& layer) {
    beginResetModel();
    rows_.clear();
    for (const StepComparison& each : layer.steps) {
        // embed's input is the prompt, the same for both.
        if (each.step != StepId::embed) {
            Row input{each.step, true, each.input, {}};
            input.tap.drift = each.input_drift;
            rows_.push_back(std::move(input));
        }
        for (const TapComparison& tap : each.taps)
            rows_.push_back({each.step, false, each.input, tap});
    }
    endResetModel();
}

int TapTableModel::mostTelling() const {
    for (size_t i = 0; i < rows_.size(); ++i)
        if (!rows_[i].input && rows_[i].tap.verdict.diverged) return int(i);
    for (size_t i = 0; i < rows_.size(); ++i)
        if (!rows_[i].input) return int(i);
    return -1;
}

int TapTableModel::rowOf(StepId wanted, const std::string& name) const {
    for (size_t i = 0; i < rows_.size(); ++i)
        if (!rows_[i].input && rows_[i].step == wanted && rows_[i].tap.tensor == name)
            return int(i);
    return -1;
}

int TapTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(rows_.size());
}

int TapTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : column_count;
}

QString TapTableModel::inputStateText(InputState state) {
    switch (state) {
        case InputState::identical:
            return tr("identical");
        case InputState::rounded:
            return tr("same but for rounding");
        case InputState::drifted:
            break;
    }
    return tr("drifted");
}

QString TapTableModel::inputText(const Row& row, int column) const {
    switch (column) {
        case step:
            return stepText(row.step);
        case tensor:
            return tr("input");
        case max_error:
            return figureText(figure(row.tap.drift, Metric::max_abs));
        case rms_error:
            return figureText(figure(row.tap.drift, Metric::rms));
        case verdict:
            return inputStateText(row.state);
        default:
            return {};
    }
}

QString TapTableModel::text(const Row& row, int column) const {
    if (row.input) return inputText(row, column);
    const ErrorFigures& local = row.tap.local;
    switch (column) {
        case step:
            return stepText(row.step);
        case tensor:
            return toText(row.tap.tensor);
        case max_error:
            return figureText(figure(local, Metric::max_abs));
        case rms_error:
            return figureText(figure(local, Metric::rms));
        case cosine:
            return cosineText(local.cosine);
        case within_1e3:
            return shareText(local.within_1e3);
        case ulps:
            return figureText(figure(local, Metric::max_ulp));
        case noise_floor:
            return figureText(figure(row.tap.noise_floor, Metric::max_abs));
        default:
            return row.tap.verdict.diverged ? tr("diverged") : tr("match");
    }
}

QString TapTableModel::toolTip(const Row& row) const {
    if (row.input)
        return tr(
            "How far the step's input differs when each path feeds itself. The rows below "
            "are measured on the same input.");
    const Verdict& found = row.tap.verdict;
    if (!found.diverged) return tr("Within what the model's dtype costs the reference.");
    return tr("%1: %2", "part of the tensor, reason")
        .arg(QString::fromStdString(found.part), QString::fromStdString(found.reason));
}

QVariant TapTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const Row& row = rows_[size_t(index.row())];
    switch (role) {
        case Qt::DisplayRole:
            return text(row, index.column());
        case Qt::ToolTipRole:
            return toolTip(row);
        case Qt::TextAlignmentRole:
            if (index.column() >= max_error) return int(Qt::AlignRight | Qt::AlignVCenter);
            return {};
        case DivergedRole:
            return !row.input && row.tap.verdict.diverged;
        case IsInputRole:
            return row.input;
        default:
            return {};
    }
}

QVariant TapTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole && section >= max_error)
        return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case step:
            return tr("Step");
        case tensor:
            return tr("Tensor");
        case max_error:
            return tr("Max");
        case rms_error:
            return tr("RMS");
        case cosine:
            return tr("Cosine");
        case within_1e3:
            return tr("In 1e-3");
        case ulps:
            return tr("ULPs");
        case noise_floor:
            return tr("Floor");
        case verdict:
            return tr("Verdict");
        default:
            return {};
    }
}

}  // namespace lockstep
