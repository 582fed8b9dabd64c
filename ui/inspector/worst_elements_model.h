// SPDX-License-Identifier: GPL-3.0-or-later
// The elements of a tap that are furthest off, worst first.
#pragma once

#include <QAbstractTableModel>

#include "ui/inspector/tap_detail.h"

namespace lockstep {

class WorstElementsModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    enum Column { token, head, channel, reference, candidate, truth, ulps, column_count };

    using QAbstractTableModel::QAbstractTableModel;
    void setDetail(const TapDetail& detail);
    const WorstElement& at(int row) const { return worst_[size_t(row)]; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    std::vector<WorstElement> worst_;
    int64_t first_token_ = 0;
    bool has_heads_ = false;
};

}  // namespace lockstep
