// SPDX-License-Identifier: GPL-3.0-or-later
// The figures behind the plot, a row for each of its points.
#pragma once

#include <QAbstractTableModel>

#include "ui/inspector/plot_data.h"

namespace lockstep {

class LayerTableModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    enum Column { place, step, tensor, drift, local, noise_floor, verdict, column_count };

    using QAbstractTableModel::QAbstractTableModel;
    void setPlot(const PlotData& data);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    QString text(const PlotPoint& point, int column) const;
    PlotData data_;
};

}  // namespace lockstep
