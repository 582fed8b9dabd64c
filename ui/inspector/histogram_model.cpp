// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/histogram_model.h"

#include <QLocale>
#include <cmath>

#include "ui/inspector/figures.h"

namespace lockstep {

void HistogramModel::setHistogram(const ErrorHistogram& histogram) {
    beginResetModel();
    histogram_ = histogram;
    endResetModel();
}

int HistogramModel::rowCount(const QModelIndex& parent) const {
    const bool none = parent.isValid() || histogram_.candidate.empty();
    return none ? 0 : int(histogram_.candidate.size()) + 2;
}

int HistogramModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : column_count;
}

QString HistogramModel::edgeText(int row, int column) const {
    if (row == 0) return QStringLiteral("0");
    if (row == rowCount() - 1) return tr("not finite");
    const int exponent = histogram_.first_exponent + row - 1 + (column == to ? 1 : 0);
    return figureText(std::ldexp(1, exponent));
}

int64_t HistogramModel::count(int row, int column) const {
    const bool own = column == candidate;
    if (row == 0) return own ? histogram_.candidate_exact : histogram_.reference_exact;
    if (row == rowCount() - 1) return own ? histogram_.candidate_not_finite : 0;
    return (own ? histogram_.candidate : histogram_.reference)[size_t(row - 1)];
}

QVariant HistogramModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    if (index.column() <= to) return edgeText(index.row(), index.column());
    return QLocale().toString(qlonglong(count(index.row(), index.column())));
}

QVariant HistogramModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case from:
            return tr("Error from");
        case to:
            return tr("to");
        case candidate:
            return tr("Candidate");
        case reference:
            return tr("Reference");
        default:
            return {};
    }
}

}  // namespace lockstep
