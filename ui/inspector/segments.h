// SPDX-License-Identifier: GPL-3.0-or-later
// A row of buttons of which one is on: which of several views is shown. Left and Right change it.
#pragma once

#include <QWidget>

class QButtonGroup;
class QHBoxLayout;
class QToolButton;

namespace lockstep {

class Segments : public QWidget {
    Q_OBJECT
  public:
    explicit Segments(const QString& accessible_name, QWidget* parent = nullptr);

    int add(const QString& text, const QString& tool_tip = {});
    QToolButton* button(int index) const;
    int current() const;
    void setCurrent(int index);

  Q_SIGNALS:
    void currentChanged(int index);

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QHBoxLayout* row_;
    QButtonGroup* group_;
};

}  // namespace lockstep
