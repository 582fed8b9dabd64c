// SPDX-License-Identifier: GPL-3.0-or-later
// Two runs layer by layer: the local errors of each, and what became of the verdict.
#pragma once

#include <QAbstractTableModel>

#include "ui/inspector/plot_data.h"

namespace lockstep {

class BesideTableModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    enum Column { place, before, after, verdict_before, verdict_after, column_count };

    using QAbstractTableModel::QAbstractTableModel;
    // Names are shown in the header; points that only one of them has are left out.
    void setRuns(const QString& before_name, const PlotData& before_data, const QString& after_name,
                 const PlotData& after_data);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    QString before_name_, after_name_;
    int num_hidden_layers_ = 0;
    std::vector<std::pair<PlotPoint, PlotPoint>> rows_;
};

}  // namespace lockstep
