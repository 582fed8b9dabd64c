// SPDX-License-Identifier: GPL-3.0-or-later
// A widget in whose layout something wraps. A splitter does not ask for the height that this needs
// at a width: here it is the least height, so that a narrow dock scrolls and cuts nothing.
#pragma once

#include <QWidget>

namespace lockstep {

class WrappingWidget : public QWidget {
  public:
    using QWidget::QWidget;
    QSize minimumSizeHint() const override;

  protected:
    void resizeEvent(QResizeEvent* event) override;
};

}  // namespace lockstep
