// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/segments.h"

#include <QButtonGroup>
#include <QHBoxLayout>
#include <QPainter>
#include <QToolButton>

#include "ui/theme/colors.h"

namespace lockstep {

Segments::Segments(const QString& accessible_name, QWidget* parent)
    : QWidget(parent), row_(new QHBoxLayout(this)), group_(new QButtonGroup(this)) {
    setAccessibleName(accessible_name);
    row_->setContentsMargins(2, 2, 2, 2);
    row_->setSpacing(2);
    setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
    connect(group_, &QButtonGroup::idToggled, this, [this](int id, bool on) {
        if (on) Q_EMIT currentChanged(id);
    });
}

int Segments::add(const QString& text, const QString& tool_tip) {
    auto* button = new QToolButton;
    button->setText(text);
    button->setToolTip(tool_tip);
    button->setCheckable(true);
    button->setAutoRaise(true);
    button->setFocusPolicy(Qt::StrongFocus);
    button->setAccessibleName(QString(text).remove(QLatin1Char('&')));
    const int id = int(group_->buttons().size());
    group_->addButton(button, id);
    row_->addWidget(button);
    if (id == 0) button->setChecked(true);
    return id;
}

QToolButton* Segments::button(int index) const {
    return static_cast<QToolButton*>(group_->button(index));
}

int Segments::current() const {
    return group_->checkedId();
}

void Segments::setCurrent(int index) {
    if (QAbstractButton* button = group_->button(index)) button->setChecked(true);
}

void Segments::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(themeColors(palette()).separator, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 7, 7);
}

}  // namespace lockstep
