// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/worst_elements_model.h"

#include <cmath>

#include "ui/inspector/figures.h"

namespace lockstep {
namespace {

// A tensor's element, with all the digits that tell neighbouring bf16 values apart.
QString valueText(double value) {
    if (std::isnan(value)) return QStringLiteral("NaN");
    if (std::isinf(value)) return value < 0 ? QStringLiteral("−∞") : QStringLiteral("∞");
    return QString::number(value, 'g', 6);
}

}  // namespace

void WorstElementsModel::setDetail(const TapDetail& detail) {
    beginResetModel();
    worst_ = detail.figures.worst;
    first_token_ = detail.first_token;
    has_heads_ = detail.figures.layout.heads > 1;
    endResetModel();
}

int WorstElementsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(worst_.size());
}

int WorstElementsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : column_count;
}

QVariant WorstElementsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    const WorstElement& element = worst_[size_t(index.row())];
    switch (index.column()) {
        case token:
            return QString::number(first_token_ + element.token);
        case head:
            return has_heads_ ? QString::number(element.head) : QStringLiteral("–");
        case channel:
            return QString::number(element.channel);
        case reference:
            return valueText(element.reference);
        case candidate:
            return valueText(element.candidate);
        case truth:
            return valueText(element.truth);
        default:
            return std::isfinite(element.ulp) ? figureText(element.ulp) : QStringLiteral("–");
    }
}

QVariant WorstElementsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case token:
            return tr("Token");
        case head:
            return tr("Head");
        case channel:
            return tr("Channel");
        case reference:
            return tr("Reference");
        case candidate:
            return tr("Candidate");
        case truth:
            return tr("Truth");
        case ulps:
            return tr("ULPs");
        default:
            return {};
    }
}

}  // namespace lockstep
