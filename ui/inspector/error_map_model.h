// SPDX-License-Identifier: GPL-3.0-or-later
// The figures behind the heatmap: a row for each of its token bins, a column for each of its
// channel bins, the largest error of each.
#pragma once

#include <QAbstractTableModel>
#include <memory>

#include "ui/inspector/tap_detail.h"

namespace lockstep {

class ErrorMapModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    using QAbstractTableModel::QAbstractTableModel;
    // Null: nothing. of_floor: the reference's errors instead of the candidate's.
    void setDetail(std::shared_ptr<const TapDetail> detail, bool of_floor = false);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    const ErrorMap& map() const {
        return of_floor_ ? detail_->figures.floor_map : detail_->figures.map;
    }
    std::shared_ptr<const TapDetail> detail_;
    bool of_floor_ = false;
};

}  // namespace lockstep
