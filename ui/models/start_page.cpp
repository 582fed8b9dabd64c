// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/start_page.h"

#include <QFrame>
#include <QHBoxLayout>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/models/model_library.h"
#include "ui/theme/icons.h"
#include "ui/theme/labels.h"
#include "ui/theme/progress.h"

namespace lockstep {
namespace {

QPushButton* wideButton(const QString& text, const QString& icon) {
    auto* button = new QPushButton(themedIcon(icon), text);
    button->setAutoDefault(false);
    return button;
}

}  // namespace

StartPage::StartPage(const DownloadableModel* model, QWidget* parent) : QWidget(parent) {
    const int unit = fontMetrics().height();
    auto* column = new QVBoxLayout;
    column->setSpacing(unit * 3 / 4);
    auto* icon = new QLabel;
    icon->setPixmap(applicationIcon().pixmap(unit * 4));
    icon->setAccessibleName(tr("Lockstep"));
    column->addWidget(icon, 0, Qt::AlignHCenter);
    auto* heading = headingLabel(tr("Choose a model to begin"), 1.7);
    heading->setAlignment(Qt::AlignHCenter);
    column->addWidget(heading);
    auto* text =
        mutedLabel(tr("Everything runs on this computer: nothing that you write leaves it."));
    text->setAlignment(Qt::AlignHCenter);
    column->addWidget(text);
    column->addSpacing(unit / 2);
    if (model) column->addWidget(makeCard(*model));
    auto* own =
        mutedLabel(tr("Or bring your own: a GGUF file or a Hugging Face folder, Qwen2 or Llama. "
                      "It may also be dropped onto this window."));
    own->setAlignment(Qt::AlignHCenter);
    column->addSpacing(unit / 2);
    column->addWidget(own);
    auto* open = new QHBoxLayout;
    auto* file = wideButton(tr("Open a &GGUF file…"), QStringLiteral("open-file"));
    auto* folder = wideButton(tr("Open a &Hugging Face folder…"), QStringLiteral("open-folder"));
    connect(file, &QPushButton::clicked, this, &StartPage::openFileWanted);
    connect(folder, &QPushButton::clicked, this, &StartPage::openFolderWanted);
    open->addStretch();
    open->addWidget(file);
    open->addWidget(folder);
    open->addStretch();
    column->addLayout(open);

    auto* middle = new QWidget;
    middle->setLayout(column);
    middle->setMaximumWidth(unit * 38);
    auto* across = new QHBoxLayout;
    across->addStretch(1);
    across->addWidget(middle, 20);
    across->addStretch(1);
    auto* all = new QVBoxLayout(this);
    all->addStretch(2);
    all->addLayout(across);
    all->addStretch(3);
}

QWidget* StartPage::makeCard(const DownloadableModel& model) {
    const int unit = fontMetrics().height();
    name_ = model.name;
    size_text_ = sizeText(model.size);
    auto* card = new QFrame;
    card->setFrameShape(QFrame::StyledPanel);
    card->setProperty("card", true);
    auto* rows = new QVBoxLayout(card);
    rows->setContentsMargins(unit, unit, unit, unit);
    rows->addWidget(headingLabel(model.title, 1.1));
    rows->addWidget(mutedLabel(model.description));
    rows->addWidget(mutedLabel(tr("%1, licence %2").arg(size_text_, model.licence)));
    get_ = new QPushButton;
    get_->setProperty("primary", true);
    cancel_ = new QPushButton(tr("&Cancel"));
    cancel_->setAccessibleName(tr("Cancel the download"));
    cancel_->setAutoDefault(false);
    bar_ = new QProgressBar;
    showFraction(bar_, 0);
    bar_->setTextVisible(false);
    bar_->setAccessibleName(tr("Download progress"));
    state_ = mutedLabel({});
    auto* line = new QHBoxLayout;
    line->addWidget(get_);
    line->addWidget(bar_, 1);
    line->addWidget(state_);
    line->addWidget(cancel_);
    rows->addSpacing(unit / 4);
    rows->addLayout(line);
    state_->setWordWrap(false);
    connect(get_, &QPushButton::clicked, this, [this] {
        if (installed_.isEmpty())
            Q_EMIT downloadWanted(name_);
        else
            Q_EMIT openWanted(installed_);
    });
    connect(cancel_, &QPushButton::clicked, this, &StartPage::cancelWanted);
    setInstalledPath({});
    showDownloadEnded();
    return card;
}

void StartPage::setInstalledPath(const QString& path) {
    installed_ = path;
    if (!get_) return;
    get_->setText(path.isEmpty() ? tr("&Download (%1)").arg(size_text_) : tr("&Open"));
    get_->setAccessibleName(path.isEmpty() ? tr("Download the default model, %1").arg(size_text_)
                                           : tr("Open the default model"));
}

void StartPage::showDownload(qint64 done, qint64 total) {
    if (!get_) return;
    const bool had_focus = get_->hasFocus();
    get_->hide();
    for (QWidget* part : std::initializer_list<QWidget*>{bar_, state_, cancel_}) part->show();
    if (had_focus) cancel_->setFocus();
    showFraction(bar_, total > 0 ? double(done) / double(total) : 0);
    state_->setText(tr("%1 of %2").arg(sizeText(done), sizeText(total)));
}

void StartPage::showDownloadEnded() {
    if (!get_) return;
    const bool had_focus = cancel_->hasFocus();
    for (QWidget* part : std::initializer_list<QWidget*>{bar_, state_, cancel_}) part->hide();
    get_->show();
    if (had_focus) get_->setFocus();
}

}  // namespace lockstep
