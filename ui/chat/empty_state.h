// SPDX-License-Identifier: GPL-3.0-or-later
// What a chat shows before its first message.
#pragma once

#include <QWidget>

class QLabel;
class QPushButton;

namespace lockstep {

class EmptyState : public QWidget {
    Q_OBJECT
  public:
    explicit EmptyState(QWidget* parent = nullptr);

    void setModelName(const QString& name);
    void setReady(bool ready, const QString& reason);

  Q_SIGNALS:
    void promptChosen(const QString& prompt);

  private:
    void showState();

    QLabel* title_;
    QLabel* subtitle_;
    QList<QPushButton*> prompts_;
    QString model_name_;
    bool ready_ = false;
    QString reason_;
};

}  // namespace lockstep
