// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/notice_bar.h"

#include <QAccessible>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QToolButton>

#include "ui/theme/colors.h"
#include "ui/theme/icons.h"

namespace lockstep {
namespace {

QColor kindColor(NoticeBar::Kind kind, const ThemeColors& colors) {
    switch (kind) {
        case NoticeBar::Kind::error:
            return colors.error;
        case NoticeBar::Kind::warning:
            return colors.warning;
        case NoticeBar::Kind::success:
            return colors.success;
    }
    return colors.muted;
}

}  // namespace

NoticeBar::NoticeBar(QWidget* parent)
    : QFrame(parent),
      icon_(new QLabel),
      summary_(new QLabel),
      details_(new QLabel),
      more_(new QPushButton(tr("&Details"))),
      buttons_{new QPushButton(tr("&Try again")), new QPushButton(tr("&Ignore")),
               new QPushButton(tr("&Other"))},
      close_(new QToolButton) {
    setObjectName(QStringLiteral("notice"));
    for (QLabel* label : {summary_, details_}) {
        label->setTextFormat(Qt::PlainText);
        label->setWordWrap(true);
        label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    }
    details_->setForegroundRole(QPalette::WindowText);
    more_->setCheckable(true);
    close_->setIcon(themedIcon(QStringLiteral("close")));
    close_->setToolTip(tr("Dismiss (Esc)"));
    close_->setAccessibleName(tr("Dismiss the message"));
    close_->setAutoRaise(true);
    close_->setFocusPolicy(Qt::StrongFocus);
    more_->setAutoDefault(false);
    for (QPushButton* button : buttons_) button->setAutoDefault(false);
    connect(more_, &QPushButton::toggled, details_, &QWidget::setVisible);
    connect(close_, &QToolButton::clicked, this, &NoticeBar::dismiss);
    for (size_t i = 0; i < buttons_.size(); ++i) {
        connect(buttons_[i], &QPushButton::clicked, this, [this, i] {
            const auto run = actions_[i].run;
            dismiss();
            if (run) run();
        });
    }
    const int unit = fontMetrics().height();
    auto* grid = new QGridLayout(this);
    grid->setContentsMargins(unit * 3 / 4, unit / 2, unit / 2, unit / 2);
    grid->setHorizontalSpacing(unit / 2);
    grid->addWidget(icon_, 0, 0, Qt::AlignVCenter);
    grid->addWidget(summary_, 0, 1);
    grid->addWidget(more_, 0, 2, Qt::AlignVCenter);
    for (size_t i = 0; i < buttons_.size(); ++i)
        grid->addWidget(buttons_[i], 0, 5 - int(i), Qt::AlignVCenter);
    grid->addWidget(close_, 0, 6, Qt::AlignVCenter);
    grid->addWidget(details_, 1, 1);
    grid->setColumnStretch(1, 1);
    hide();
}

void NoticeBar::showNotice(Kind kind, const QString& summary, const QString& details,
                           const NoticeAction& action, const NoticeAction& other,
                           const NoticeAction& third) {
    kind_ = kind;
    actions_ = {action, other, third};
    summary_->setText(summary);
    details_->setText(details);
    more_->setVisible(!details.isEmpty());
    more_->setChecked(false);
    details_->hide();
    for (size_t i = 0; i < buttons_.size(); ++i) {
        buttons_[i]->setVisible(bool(actions_[i].run));
        if (actions_[i].run) buttons_[i]->setText(actions_[i].text);
    }
    const ThemeColors& colors = themeColors(palette());
    const bool success = kind == Kind::success;
    icon_->setPixmap(iconPixmap(success ? QStringLiteral("check") : QStringLiteral("warning"),
                                fontMetrics().height() * 5 / 4, devicePixelRatioF(),
                                kindColor(kind, colors)));
    setAccessibleName(kind == Kind::error ? tr("Error") : success ? tr("Done") : tr("Warning"));
    setAccessibleDescription(summary);
    show();
    QAccessibleEvent event(this, QAccessible::Alert);
    QAccessible::updateAccessibility(&event);
}

void NoticeBar::dismiss() {
    hide();
}

QString NoticeBar::summary() const {
    return isVisible() ? summary_->text() : QString();
}

QString NoticeBar::details() const {
    return details_->text();
}

void NoticeBar::paintEvent(QPaintEvent*) {
    const ThemeColors& colors = themeColors(palette());
    QPainter painter(this);
    painter.fillRect(rect(), kind_ == Kind::error     ? colors.error_background
                             : kind_ == Kind::success ? palette().color(QPalette::AlternateBase)
                                                      : colors.warning_background);
    painter.fillRect(0, 0, 3, height(), kindColor(kind_, colors));
}

void NoticeBar::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape) return dismiss();
    QFrame::keyPressEvent(event);
}

}  // namespace lockstep
