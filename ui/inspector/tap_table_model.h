// SPDX-License-Identifier: GPL-3.0-or-later
// The taps of one layer: for each step whether its input was the same, then what it put out, each
// tap with its figures and its verdict.
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "core/inspect/comparison.h"

namespace lockstep {

class TapTableModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    enum Column {
        step,
        tensor,
        verdict,
        max_error,
        noise_floor,
        rms_error,
        cosine,
        within_1e3,
        ulps,
        column_count
    };
    enum Role { DivergedRole = Qt::UserRole, IsInputRole };

    using QAbstractTableModel::QAbstractTableModel;
    void setLayer(const LayerComparison& layer);

    // Of the first row that diverged, or else of the first tap; -1 where there are none.
    int mostTelling() const;
    int rowOf(StepId step, const std::string& tensor) const;
    // What stands in a row; the tensor is empty for an input.
    StepId stepAt(int row) const { return rows_[size_t(row)].step; }
    const std::string& tensorAt(int row) const { return rows_[size_t(row)].tap.tensor; }
    const TapComparison& tapAt(int row) const { return rows_[size_t(row)].tap; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    struct Row {
        StepId step;
        bool input;
        InputState state;   // of the step's input
        TapComparison tap;  // of an input: its drift alone
    };
    QString text(const Row& row, int column) const;
    static QString inputStateText(InputState state);
    QString inputText(const Row& row, int column) const;
    QString toolTip(const Row& row) const;

    std::vector<Row> rows_;
};

}  // namespace lockstep
