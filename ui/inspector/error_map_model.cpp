// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/error_map_model.h"

#include "ui/inspector/figures.h"

namespace lockstep {
namespace {

QString rangeText(int64_t from, int64_t to) {
    return from == to ? QString::number(from) : QStringLiteral("%1–%2").arg(from).arg(to);
}

}  // namespace

void ErrorMapModel::setDetail(std::shared_ptr<const TapDetail> detail, bool of_floor) {
    beginResetModel();
    detail_ = std::move(detail);
    of_floor_ = of_floor;
    endResetModel();
}

int ErrorMapModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() || !detail_ ? 0 : int(map().rows);
}

int ErrorMapModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() || !detail_ ? 0 : int(map().columns);
}

QVariant ErrorMapModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    return figureText(map().cells[size_t(index.row() * map().columns + index.column())]);
}

QVariant ErrorMapModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (role != Qt::DisplayRole || !detail_ || section < 0) return {};
    const TapLayout& layout = detail_->figures.layout;
    if (orientation == Qt::Vertical) {
        const int64_t row = section * map().tokens_per_cell;
        const int64_t last = std::min(row + map().tokens_per_cell, layout.rows) - 1;
        return tr("token %1")
            .arg(rangeText(row + detail_->first_token, last + detail_->first_token));
    }
    const int64_t channel = section * map().channels_per_cell;
    const int64_t last = std::min(channel + map().channels_per_cell, layout.columns) - 1;
    return rangeText(channel, last);
}

}  // namespace lockstep
