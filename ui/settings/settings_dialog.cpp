// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/settings/settings_dialog.h"

#include <QHBoxLayout>
#include <QListWidget>
#include <QPushButton>
#include <QScrollArea>
#include <QStackedWidget>

#include "ui/settings/pages.h"
#include "ui/theme/icons.h"

namespace lockstep {

SettingsDialog::SettingsDialog(SettingsStore* store, QWidget* parent)
    : QDialog(parent), store_(store), names_(new QListWidget), pages_(new QStackedWidget) {
    setWindowTitle(tr("Settings"));
    setObjectName(QStringLiteral("settings"));
    const int unit = fontMetrics().height();
    names_->setAccessibleName(tr("Settings pages"));
    names_->setFrameShape(QFrame::NoFrame);
    names_->setFixedWidth(unit * 10);
    names_->setIconSize({unit * 5 / 4, unit * 5 / 4});
    names_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    for (SettingsPage* page :
         std::initializer_list<SettingsPage*>{new KernelsPage(store), new SamplingPage(store),
                                              new EnginePage(store), new AppearancePage(store)})
        addPage(page);
    connect(names_, &QListWidget::currentRowChanged, pages_, &QStackedWidget::setCurrentIndex);
    names_->setCurrentRow(0);

    // Not a QDialogButtonBox: Qt 6.4 leaves one of its buttons out of the order of Tab.
    auto* restore = new QPushButton(tr("&Restore defaults"));
    auto* close_button = new QPushButton(tr("&Close"));
    for (QPushButton* button : {restore, close_button}) button->setAutoDefault(false);
    connect(restore, &QPushButton::clicked, this, &SettingsDialog::restoreDefaults);
    connect(close_button, &QPushButton::clicked, this, &QDialog::close);
    auto* buttons = new QHBoxLayout;
    buttons->setContentsMargins(unit, unit * 2 / 3, unit, unit * 2 / 3);
    buttons->addWidget(restore);
    buttons->addStretch();
    buttons->addWidget(close_button);

    auto* middle = new QHBoxLayout;
    middle->setSpacing(0);
    middle->addWidget(names_);
    middle->addWidget(pages_, 1);
    auto* all = new QVBoxLayout(this);
    all->addLayout(middle, 1);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(0);
    auto* line = new QFrame;
    line->setFrameShape(QFrame::HLine);
    all->addWidget(line);
    all->addLayout(buttons);
    resize(unit * 46, unit * 44);
}

void SettingsDialog::addPage(SettingsPage* page) {
    auto* scroll = new QScrollArea;
    scroll->setWidget(page);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFocusPolicy(Qt::NoFocus);
    pages_->addWidget(scroll);
    auto* name =
        new QListWidgetItem(themedIcon(page->icon(), QPalette::Text), page->title(), names_);
    name->setSizeHint({0, fontMetrics().height() * 9 / 4});
    page->refresh();
    connect(store_, &SettingsStore::changed, page, &SettingsPage::refresh);
}

void SettingsDialog::showPage(int index) {
    names_->setCurrentRow(index);
}

int SettingsDialog::pageCount() const {
    return pages_->count();
}

void SettingsDialog::restoreDefaults() {
    store_->set(Settings());
}

}  // namespace lockstep
