// SPDX-License-Identifier: GPL-3.0-or-later
// The faults that can be planted, by step, each with what it does; those that can't show in the
// model in use are greyed and say why.
#pragma once

#include <QMenu>

#include "core/inspect/fault.h"
#include "core/model/config.h"

namespace lockstep {

class FaultMenu : public QMenu {
    Q_OBJECT
  public:
    explicit FaultMenu(QWidget* parent = nullptr);
    void setModel(const ModelConfig& config);

  Q_SIGNALS:
    void chosen(const QString& fault);  // its name

  private:
    void addFaults();
};

}  // namespace lockstep
