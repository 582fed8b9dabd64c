// SPDX-License-Identifier: GPL-3.0-or-later
// What a run came to, in words first.
#pragma once

#include <QFrame>

#include "core/inspect/inspection.h"

class QLabel;

namespace lockstep {

// "fused parts from reference in layer 3, qkv: ... Cause: ..."
QString resultText(const Inspection& inspection);

class ResultLine : public QFrame {
    Q_OBJECT
  public:
    enum class State { empty, running, match, suspicious, diverged, failed };

    explicit ResultLine(QWidget* parent = nullptr);
    void tell(State state, const QString& text);
    void tell(const Inspection& inspection);
    // It is no result of what is chosen now: said, and without the colour of a verdict.
    void setEarlier(bool earlier);
    bool isEarlier() const { return earlier_; }
    State state() const { return state_; }
    QString text() const;

  protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void dress();
    QColor ink() const;

    State state_ = State::empty;
    bool earlier_ = false;
    QLabel *icon_, *text_, *note_;
};

}  // namespace lockstep
