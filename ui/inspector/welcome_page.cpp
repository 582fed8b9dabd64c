// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/welcome_page.h"

#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/theme/labels.h"

namespace lockstep {

WelcomePage::WelcomePage(QWidget* parent)
    : QWidget(parent),
      title_(headingLabel({}, 1.25)),
      text_(mutedLabel({})),
      run_(new QPushButton(tr("Compare &now"))),
      back_(new QPushButton(tr("&Back to the last run"))) {
    setObjectName(QStringLiteral("inspector_welcome"));
    title_->setAlignment(Qt::AlignCenter);
    title_->setWordWrap(true);
    text_->setAlignment(Qt::AlignCenter);
    text_->setTextFormat(Qt::PlainText);
    for (QPushButton* button : {run_, back_}) button->setAutoDefault(false);
    const int unit = fontMetrics().height();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(unit, unit, unit, unit);
    column->setSpacing(unit / 2);
    column->addStretch(2);
    column->addWidget(title_);
    column->addWidget(text_);
    column->addSpacing(unit / 2);
    column->addWidget(run_, 0, Qt::AlignHCenter);
    column->addWidget(back_, 0, Qt::AlignHCenter);
    column->addStretch(3);
    connect(run_, &QPushButton::clicked, this, &WelcomePage::runRequested);
    connect(back_, &QPushButton::clicked, this, &WelcomePage::backRequested);
    showNoModel();
}

void WelcomePage::say(const QString& title, const QString& text) {
    title_->setText(title);
    text_->setText(text);
    run_->hide();
    back_->hide();
}

void WelcomePage::showNoModel() {
    say(tr("No model is open"), tr("Open one, then compare the paths that compute it."));
}

void WelcomePage::showReady() {
    say(tr("Do two paths compute the same model?"),
        tr("Every step of the candidate is given the reference's own inputs and held against "
           "truth. You see the first that parts from the reference, its tensors, and the cause."));
    run_->setText(tr("Compare &now"));
    run_->show();
}

void WelcomePage::showRunning() {
    say(tr("Comparing…"),
        tr("The candidate runs by itself, then each of its steps once more on what the reference "
           "was given. The chat goes on meanwhile."));
}

void WelcomePage::showFailed(const QString& message, bool has_runs) {
    say(tr("The comparison did not run"), message);
    run_->setText(tr("&Try again"));
    run_->show();
    back_->setVisible(has_runs);
}

}  // namespace lockstep
