// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/status_line.h"

#include <QEvent>
#include <QLabel>
#include <QLocale>
#include <QRegularExpression>
#include <QToolButton>

#include "ui/models/model_library.h"
#include "ui/theme/colors.h"
#include "ui/theme/icons.h"

namespace lockstep {
namespace {

// "AMD EPYC 9R14 96-Core Processor" without what every name has.
QString shortDevice(QString name) {
    static const QRegularExpression noise(
        QStringLiteral("\\((R|TM)\\)| CPU| Processor| [0-9]+-Core| @.*$"),
        QRegularExpression::CaseInsensitiveOption);
    return name.remove(noise).simplified();
}

void say(QLabel* label, const QString& text) {
    label->setText(text);
    label->setVisible(!text.isEmpty());
}

}  // namespace

StatusLine::StatusLine(QWidget* parent)
    : QStatusBar(parent),
      device_(addPart(tr("Device"), tr("What computes, and on how many threads"))),
      model_(
          addPart(tr("Model"), tr("The model's file, its numbers in memory, and how much of it"))),
      path_(addPart(tr("Kernels"), tr("The path that computes the next token (Ctrl+, to change)"))),
      check_(addButton()),
      speed_(addPart(tr("Speed"), tr("Tokens a second of the last answer"))),
      context_(addPart(tr("Context"), tr("Tokens of the conversation, of those that fit"))) {
    setSizeGripEnabled(false);
    setAccessibleName(tr("Status"));
    const int unit = fontMetrics().height();
    setContentsMargins(unit / 2, unit / 6, unit / 2, unit / 6);
}

QLabel* StatusLine::addPart(const QString& name, const QString& tool_tip) {
    auto* label = new QLabel;
    label->setForegroundRole(QPalette::PlaceholderText);
    label->setTextFormat(Qt::PlainText);
    label->setAccessibleName(name);
    label->setToolTip(tool_tip);
    label->setContentsMargins(0, 0, fontMetrics().height(), 0);
    label->hide();
    addWidget(label);
    return label;
}

QToolButton* StatusLine::addButton() {
    auto* button = new QToolButton;
    button->setObjectName(QStringLiteral("path_check"));
    button->setAutoRaise(true);
    button->setFocusPolicy(Qt::StrongFocus);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->hide();
    connect(button, &QToolButton::clicked, this, &StatusLine::checkClicked);
    addWidget(button);
    return button;
}

void StatusLine::setCheck(const QString& summary, const QString& details, bool alarm) {
    check_->setText(summary);
    check_->setVisible(!summary.isEmpty());
    check_->setProperty("alarm", alarm);
    check_->setAccessibleName(tr("Check of the kernels: %1").arg(summary));
    check_->setToolTip(details.isEmpty() ? tr("Open the inspector") : details);
    check_->setAccessibleDescription(check_->toolTip());
    showAlarm();
}

// In the theme's own colours, also after a change of theme.
void StatusLine::showAlarm() {
    const bool alarm = check_->property("alarm").toBool();
    const ThemeColors& colors = themeColors(palette());
    QPalette own = palette();
    own.setColor(QPalette::ButtonText, alarm ? colors.error : colors.muted);
    check_->setPalette(own);
    check_->setIcon(alarm ? QIcon(iconPixmap(QStringLiteral("warning"), fontMetrics().height(),
                                             devicePixelRatioF(), colors.error))
                          : QIcon());
}

void StatusLine::changeEvent(QEvent* event) {
    QStatusBar::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) showAlarm();
}

void StatusLine::setModel(const LoadedModel& model, const QString& no_gpu) {
    QString details = tr("What computes, and on how many threads");
    if (!no_gpu.isEmpty()) details = tr("CPU · %1").arg(no_gpu);
    device_->setToolTip(details);
    device_->setAccessibleDescription(details);
    // Nothing computes yet.
    path_->setVisible(!model.path.isEmpty() && !path_->text().isEmpty());
    has_model_ = !model.path.isEmpty();
    if (model.path.isEmpty()) {
        say(device_, {});
        return say(model_, {});
    }
    const QString threads =
        model.threads == 1 ? tr("1 thread") : tr("%1 threads").arg(model.threads);
    const QString name = shortDevice(model.device);
    say(device_, model.on_gpu ? name : name + QStringLiteral(", ") + threads);
    QString text = tr("%1 as %2").arg(model.format, model.dtype);
    if (model.memory > 0) text += tr(", %1").arg(sizeText(model.memory));
    say(model_, text);
}

void StatusLine::setPath(const QString& path) {
    say(path_, path);
    if (!has_model_) path_->hide();
}

QString StatusLine::deviceText() const {
    return device_->text();
}

QString StatusLine::deviceDetails() const {
    return device_->toolTip();
}

QString StatusLine::pathText() const {
    return path_->text();
}

void StatusLine::setSpeed(double tokens_per_second) {
    say(speed_, tokens_per_second > 0
                    ? tr("%1 tok/s").arg(QLocale().toString(tokens_per_second, 'f', 1))
                    : QString());
}

void StatusLine::setContext(qint64 used, qint64 total) {
    const QLocale locale;
    say(context_, total > 0
                      ? tr("%1 of %2 tokens").arg(locale.toString(used), locale.toString(total))
                      : QString());
}

}  // namespace lockstep
