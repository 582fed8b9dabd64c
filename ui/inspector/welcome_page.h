// SPDX-License-Identifier: GPL-3.0-or-later
// What the panel shows where there are no figures: before the first run, during it, and after one
// that failed.
#pragma once

#include <QWidget>

class QLabel;
class QPushButton;

namespace lockstep {

class WelcomePage : public QWidget {
    Q_OBJECT
  public:
    explicit WelcomePage(QWidget* parent = nullptr);

    void showNoModel();
    void showReady();
    void showRunning();
    void showFailed(const QString& message, bool has_runs);

  Q_SIGNALS:
    void runRequested();
    void backRequested();

  private:
    void say(const QString& title, const QString& text);

    QLabel *title_, *text_;
    QPushButton *run_, *back_;
};

}  // namespace lockstep
