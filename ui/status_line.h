// SPDX-License-Identifier: GPL-3.0-or-later
// The status bar: what computes, which model, on which path, how fast.
#pragma once

#include <QStatusBar>

#include "ui/engine_types.h"

class QLabel;

namespace lockstep {

class StatusLine : public QStatusBar {
    Q_OBJECT
  public:
    explicit StatusLine(QWidget* parent = nullptr);

    void setModel(const LoadedModel& model);
    void setPath(const QString& path);
    void setSpeed(double tokens_per_second);  // 0: none to tell
    void setContext(qint64 used, qint64 total);
    QString pathText() const;

  private:
    QLabel* addPart(const QString& name, const QString& tool_tip);

    QLabel *device_, *model_, *path_, *speed_, *context_;
};

}  // namespace lockstep
