// SPDX-License-Identifier: GPL-3.0-or-later
// The runs so far, the latest first.
#pragma once

#include <QAbstractTableModel>

#include "ui/inspector/inspection_run.h"

namespace lockstep {

class RunHistoryModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    enum Column { number, verdict, candidate, against, prompt, time, column_count };
    static constexpr int most_runs = 24;  // each keeps the step where it parted

    using QAbstractTableModel::QAbstractTableModel;
    void add(SharedRun run);  // the oldest goes where there are too many
    void clear();             // the runs were of another model
    SharedRun at(int row) const { return runs_.value(row); }
    int rowOf(const Inspection& inspection) const;  // -1: it is not one of them

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    QVector<SharedRun> runs_;
};

// "layer 3, qkv k" or "match"
QString verdictText(const Comparison& comparison);

}  // namespace lockstep
