// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/beside_table_model.h"

#include "ui/inspector/figures.h"

namespace lockstep {

void BesideTableModel::setRuns(const QString& before_name, const PlotData& before_data,
                               const QString& after_name, const PlotData& after_data) {
    beginResetModel();
    before_name_ = before_name;
    after_name_ = after_name;
    num_hidden_layers_ = before_data.num_hidden_layers;
    rows_.clear();
    for (const PlotPoint& point : before_data.points)
        if (const auto same = after_data.find(point.layer, point.step))
            rows_.emplace_back(point, after_data.points[*same]);
    endResetModel();
}

int BesideTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(rows_.size());
}

int BesideTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : column_count;
}

QVariant BesideTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const auto& [was, is] = rows_[size_t(index.row())];
    const bool number = index.column() == before || index.column() == after;
    if (role == Qt::TextAlignmentRole && number) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::UserRole) return is.diverged;
    if (role != Qt::DisplayRole) return {};
    const auto verdict = [](const PlotPoint& point) {
        return point.diverged ? tr("diverged") : tr("match");
    };
    switch (index.column()) {
        case place:
            return layerText(was.layer, num_hidden_layers_);
        case before:
            return figureText(was.local);
        case after:
            return figureText(is.local);
        case verdict_before:
            return verdict(was);
        default:
            return verdict(is);
    }
}

QVariant BesideTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case place:
            return tr("Layer");
        case before:
            return tr("Local, %1").arg(before_name_);
        case after:
            return tr("Local, %1").arg(after_name_);
        case verdict_before:
            return tr("Verdict, %1").arg(before_name_);
        case verdict_after:
            return tr("Verdict, %1").arg(after_name_);
        default:
            return {};
    }
}

}  // namespace lockstep
