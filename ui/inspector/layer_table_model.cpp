// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/layer_table_model.h"

#include "ui/inspector/figures.h"

namespace lockstep {

void LayerTableModel::setPlot(const PlotData& data) {
    beginResetModel();
    data_ = data;
    endResetModel();
}

int LayerTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(data_.points.size());
}

int LayerTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : column_count;
}

QString LayerTableModel::text(const PlotPoint& point, int column) const {
    switch (column) {
        case place:
            return layerText(point.layer, data_.num_hidden_layers);
        case step:
            return stepText(point.step);
        case tensor:
            return toText(point.tensor);
        case drift:
            return figureText(point.drift);
        case local:
            return figureText(point.local);
        case noise_floor:
            return figureText(point.noise_floor);
        default:
            return point.diverged ? tr("diverged") : tr("match");
    }
}

QVariant LayerTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const PlotPoint& point = data_.points[size_t(index.row())];
    if (role == Qt::DisplayRole) return text(point, index.column());
    const bool number = index.column() >= drift && index.column() <= noise_floor;
    if (role == Qt::TextAlignmentRole && number) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::UserRole) return point.diverged;
    return {};
}

QVariant LayerTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case place:
            return tr("Layer");
        case step:
            return tr("Step");
        case tensor:
            return tr("Tensor");
        case drift:
            return tr("Drift");
        case local:
            return tr("Local");
        case noise_floor:
            return tr("Noise floor");
        case verdict:
            return tr("Verdict");
        default:
            return {};
    }
}

}  // namespace lockstep
