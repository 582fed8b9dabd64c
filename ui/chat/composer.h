// SPDX-License-Identifier: GPL-3.0-or-later
// Where a message is written: the field, and one button that sends or, during an answer, stops.
#pragma once

#include <QToolButton>

#include "ui/chat/field_frame.h"

namespace lockstep {

// A disc in the accent.
class RoundButton : public QToolButton {
    Q_OBJECT
  public:
    explicit RoundButton(QWidget* parent = nullptr);

    void show(const QString& icon, const QString& name);
    QSize sizeHint() const override;

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QString icon_;
};

class Composer : public FieldFrame {
    Q_OBJECT
  public:
    explicit Composer(QWidget* parent = nullptr);

    QToolButton* button() const { return button_; }
    QString text() const;
    void setText(const QString& text);
    void setAnswering(bool answering);
    void setReady(bool ready, const QString& reason);
    void clearAfterSending();  // what was sent goes to the history

  Q_SIGNALS:
    void sendRequested(const QString& text);
    void stopRequested();

  private:
    void showState();
    void trySend();

    RoundButton* button_;
    bool answering_ = false;
    bool ready_ = false;
    QString reason_;
};

}  // namespace lockstep
