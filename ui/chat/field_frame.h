// SPDX-License-Identifier: GPL-3.0-or-later
// The rounded outline around a text field, in the accent while the field has the focus.
#pragma once

#include <QFrame>

namespace lockstep {

class GrowingTextEdit;

class FieldFrame : public QFrame {
    Q_OBJECT
  public:
    explicit FieldFrame(QWidget* parent = nullptr);  // makes its field, and a layout with it

    GrowingTextEdit* field() const { return field_; }

  protected:
    void paintEvent(QPaintEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;

  private:
    GrowingTextEdit* field_;
};

}  // namespace lockstep
