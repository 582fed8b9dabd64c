// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/wrapping_widget.h"

#include <QLayout>
#include <QResizeEvent>

namespace lockstep {

QSize WrappingWidget::minimumSizeHint() const {
    QSize size = QWidget::minimumSizeHint();
    if (layout() && layout()->hasHeightForWidth())
        size.setHeight(qMax(size.height(), layout()->totalMinimumHeightForWidth(width())));
    return size;
}

void WrappingWidget::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    if (event->size().width() != event->oldSize().width()) updateGeometry();
}

}  // namespace lockstep
