// SPDX-License-Identifier: GPL-3.0-or-later
// Above the page: what is being loaded or downloaded, how far it is, and a way to stop it.
#pragma once

#include <QWidget>

class QLabel;
class QProgressBar;
class QPushButton;

namespace lockstep {

class ProgressStrip : public QWidget {
    Q_OBJECT
  public:
    explicit ProgressStrip(QWidget* parent = nullptr);
    // total 0: how far is not known. detail: muted, beside it.
    void showProgress(const QString& title, qint64 done, qint64 total, const QString& detail = {});

  Q_SIGNALS:
    void cancelled();

  private:
    QLabel* title_;
    QLabel* detail_;
    QProgressBar* bar_;
    QPushButton* cancel_;
};

}  // namespace lockstep
