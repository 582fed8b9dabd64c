// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/progress_strip.h"

#include <QHBoxLayout>
#include <QProgressBar>
#include <QPushButton>

#include "ui/theme/labels.h"
#include "ui/theme/progress.h"

namespace lockstep {

ProgressStrip::ProgressStrip(QWidget* parent)
    : QWidget(parent),
      title_(new QLabel),
      detail_(mutedLabel({})),
      bar_(new QProgressBar),
      cancel_(new QPushButton(tr("Cancel"))) {
    setObjectName(QStringLiteral("progress"));
    const int unit = fontMetrics().height();
    title_->setTextFormat(Qt::PlainText);
    detail_->setWordWrap(false);
    bar_->setTextVisible(false);
    bar_->setAccessibleName(tr("Progress"));
    cancel_->setAutoDefault(false);
    auto* line = new QHBoxLayout(this);
    line->setContentsMargins(unit, unit / 2, unit, unit / 2);
    line->setSpacing(unit * 3 / 4);
    line->addWidget(title_);
    line->addWidget(bar_, 1);
    line->addWidget(detail_);
    line->addWidget(cancel_);
    connect(cancel_, &QPushButton::clicked, this, &ProgressStrip::cancelled);
    hide();
}

void ProgressStrip::showProgress(const QString& title, qint64 done, qint64 total,
                                 const QString& detail) {
    title_->setText(title);
    detail_->setText(detail);
    detail_->setVisible(!detail.isEmpty());
    if (total > 0)
        showFraction(bar_, double(done) / double(total));
    else
        showBusy(bar_);
    cancel_->setAccessibleName(tr("Cancel: %1").arg(title));
    show();
}

}  // namespace lockstep
