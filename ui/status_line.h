// SPDX-License-Identifier: GPL-3.0-or-later
// The status bar: what computes, which model, on which path, how fast.
#pragma once

#include <QStatusBar>

#include "ui/engine_types.h"

class QLabel;
class QToolButton;

namespace lockstep {

class StatusLine : public QStatusBar {
    Q_OBJECT
  public:
    explicit StatusLine(QWidget* parent = nullptr);

    // no_gpu: why the CPU computes where a GPU would have; or empty.
    void setModel(const LoadedModel& model, const QString& no_gpu = {});
    QString deviceText() const;
    QString deviceDetails() const;
    void setPath(const QString& path);
    void setSpeed(double tokens_per_second);  // 0: none to tell
    void setContext(qint64 used, qint64 total);
    QString pathText() const;
    // What a check of the path found. alarm: it is not what the reference computes.
    void setCheck(const QString& summary, const QString& details, bool alarm);

  Q_SIGNALS:
    void checkClicked();

  protected:
    void changeEvent(QEvent* event) override;

  private:
    QToolButton* addButton();
    void showAlarm();
    QLabel* addPart(const QString& name, const QString& tool_tip);

    QLabel *device_, *model_, *path_;
    QToolButton* check_;
    QLabel *speed_, *context_;
    bool has_model_ = false;
};

}  // namespace lockstep
