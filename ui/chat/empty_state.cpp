// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/empty_state.h"

#include <QLabel>
#include <QPushButton>
#include <QStyle>
#include <QVBoxLayout>

namespace lockstep {
namespace {

constexpr int widest_column = 80;  // average characters

}  // namespace

EmptyState::EmptyState(QWidget* parent) : QWidget(parent) {
    title_ = new QLabel(this);
    QFont large = font();
    large.setPointSizeF(large.pointSizeF() * 1.7);
    large.setWeight(QFont::DemiBold);
    title_->setFont(large);
    title_->setAlignment(Qt::AlignCenter);
    title_->setWordWrap(true);
    subtitle_ = new QLabel(this);
    subtitle_->setAlignment(Qt::AlignCenter);
    subtitle_->setWordWrap(true);
    subtitle_->setForegroundRole(QPalette::PlaceholderText);
    const int unit = fontMetrics().height();
    auto* column = new QVBoxLayout;
    column->setSpacing(unit / 2);
    column->addStretch(2);
    column->addWidget(title_);
    column->addWidget(subtitle_);
    column->addSpacing(unit);
    for (const QString& prompt : {tr("Explain what a KV cache is, in three sentences."),
                                  tr("Write a C++ function that computes RMSNorm."),
                                  tr("Why does attention divide by the square root of d?")}) {
        auto* button = new QPushButton(prompt, this);
        button->setAccessibleName(tr("Send: %1").arg(prompt));
        button->setToolTip(tr("Send this example"));
        button->setMinimumHeight(unit * 5 / 2);
        connect(button, &QPushButton::clicked, this,
                [this, prompt] { Q_EMIT promptChosen(prompt); });
        column->addWidget(button);
        prompts_ << button;
    }
    column->addStretch(3);
    auto* layout = new QHBoxLayout(this);
    // Centred as the transcript is, which has a scroll bar beside it.
    layout->setContentsMargins(unit, unit, unit + style()->pixelMetric(QStyle::PM_ScrollBarExtent),
                               unit);
    auto* middle = new QWidget(this);
    middle->setMaximumWidth(fontMetrics().averageCharWidth() * widest_column);
    middle->setLayout(column);
    layout->addStretch(1);
    layout->addWidget(middle, 1000);
    layout->addStretch(1);
    showState();
}

void EmptyState::setModelName(const QString& name) {
    model_name_ = name;
    showState();
}

void EmptyState::setReady(bool ready, const QString& reason) {
    ready_ = ready;
    reason_ = reason;
    showState();
}

void EmptyState::showState() {
    const bool has_model = !model_name_.isEmpty();
    title_->setText(has_model ? tr("What shall we look at?") : tr("No model yet"));
    if (!ready_ && !reason_.isEmpty()) {
        subtitle_->setText(reason_);
    } else if (has_model) {
        subtitle_->setText(tr("%1 answers on this machine; nothing leaves it.").arg(model_name_));
    } else {
        subtitle_->setText(tr("Open a model to begin."));
    }
    for (QPushButton* button : prompts_) {
        button->setEnabled(ready_);
        button->setVisible(has_model);
    }
}

}  // namespace lockstep
