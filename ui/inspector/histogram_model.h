// SPDX-License-Identifier: GPL-3.0-or-later
// The figures behind the histogram: how many elements of candidate and reference are how far off
// truth.
#pragma once

#include <QAbstractTableModel>

#include "ui/inspector/tap_detail.h"

namespace lockstep {

class HistogramModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    enum Column { from, to, candidate, reference, column_count };

    using QAbstractTableModel::QAbstractTableModel;
    void setHistogram(const ErrorHistogram& histogram);

    // The first row is of elements without an error, the last of those that are not finite.
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    QString edgeText(int row, int column) const;
    int64_t count(int row, int column) const;
    ErrorHistogram histogram_;
};

}  // namespace lockstep
