// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/result_line.h"

#include <QAccessible>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QVBoxLayout>

#include "core/inspect/report.h"
#include "ui/theme/colors.h"
#include "ui/theme/icons.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

QString iconOf(ResultLine::State state) {
    switch (state) {
        case ResultLine::State::match:
            return QStringLiteral("check");
        case ResultLine::State::diverged:
        case ResultLine::State::suspicious:
        case ResultLine::State::failed:
            return QStringLiteral("warning");
        default:
            return QStringLiteral("layers");
    }
}

QString stateName(ResultLine::State state) {
    switch (state) {
        case ResultLine::State::match:
            return ResultLine::tr("Result: match");
        case ResultLine::State::suspicious:
        case ResultLine::State::diverged:
            return ResultLine::tr("Result: diverged");
        case ResultLine::State::failed:
            return ResultLine::tr("The run failed");
        default:
            return ResultLine::tr("Result");
    }
}

}  // namespace

QString resultText(const Inspection& inspection) {
    const Diagnosis* diagnosis = inspection.diagnosis ? &*inspection.diagnosis : nullptr;
    return QString::fromStdString(comparison_sentence(inspection.comparison, diagnosis));
}

ResultLine::ResultLine(QWidget* parent)
    : QFrame(parent),
      icon_(new QLabel),
      text_(readableLabel()),
      note_(mutedLabel(tr("This was before you chose something else: Run compares what is "
                          "chosen now."))) {
    setObjectName(QStringLiteral("result_line"));
    text_->setWordWrap(true);
    text_->setAccessibleName(stateName(state_));
    icon_->setAlignment(Qt::AlignTop);
    icon_->setContentsMargins(0, text_->margin(), 0, 0);
    const int unit = fontMetrics().height();
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(unit * 3 / 4, 0, unit / 4, 0);
    row->setSpacing(unit / 4);
    row->addWidget(icon_, 0, Qt::AlignTop);
    auto* column = new QVBoxLayout;
    column->setSpacing(unit / 6);
    column->addWidget(text_);
    column->addWidget(note_);
    row->addLayout(column, 1);
    note_->setObjectName(QStringLiteral("earlier_note"));
    note_->setContentsMargins(text_->margin(), 0, text_->margin(), text_->margin());
    note_->hide();
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    dress();
}

QString ResultLine::text() const {
    return text_->text();
}

void ResultLine::tell(const Inspection& inspection) {
    const Comparison& comparison = inspection.comparison;
    tell(comparison.diverged()          ? State::diverged
         : comparison.drift_unexplained ? State::suspicious
                                        : State::match,
         resultText(inspection));
}

void ResultLine::tell(State state, const QString& text) {
    const bool other = state != state_;
    state_ = state;
    text_->setText(text);
    text_->setAccessibleName(stateName(state));
    text_->setAccessibleDescription(text);
    setEarlier(false);
    if (!other || state == State::empty || state == State::running) return;
    QAccessibleEvent event(text_, QAccessible::Alert);
    QAccessible::updateAccessibility(&event);
}

void ResultLine::setEarlier(bool earlier) {
    earlier_ = earlier;
    note_->setVisible(earlier);
    dress();
}

QColor ResultLine::ink() const {
    const ThemeColors& colors = themeColors(palette());
    if (earlier_) return colors.muted;
    switch (state_) {
        case State::match:
            return colors.success;
        case State::suspicious:
            return colors.warning;
        case State::diverged:
        case State::failed:
            return colors.error;
        default:
            return colors.muted;
    }
}

void ResultLine::dress() {
    icon_->setPixmap(
        iconPixmap(iconOf(state_), fontMetrics().height() * 5 / 4, devicePixelRatioF(), ink()));
    update();
}

void ResultLine::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) dress();
}

void ResultLine::paintEvent(QPaintEvent*) {
    const ThemeColors& colors = themeColors(palette());
    QPainter painter(this);
    const bool bad = state_ == State::diverged || state_ == State::failed;
    const QColor paper = earlier_                      ? palette().color(QPalette::Base)
                         : bad                         ? colors.error_background
                         : state_ == State::suspicious ? colors.warning_background
                                                       : palette().color(QPalette::Base);
    painter.fillRect(rect(), paper);
    painter.fillRect(0, 0, 3, height(), ink());
}

}  // namespace lockstep
