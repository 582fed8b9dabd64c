// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/help_dialog.h"

#include <QAction>
#include <QGridLayout>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/theme/labels.h"

namespace lockstep {
namespace {

struct Shortcut {
    QString keys, text;
};

QVector<Shortcut> shortcuts(const QList<QAction*>& actions) {
    QVector<Shortcut> list;
    for (const QAction* action : actions) {
        QString text = action->text();
        text.remove(QLatin1Char('&')).remove(QChar(0x2026));
        if (!action->shortcut().isEmpty())
            list.append({action->shortcut().toString(QKeySequence::NativeText), text});
    }
    list.append({HelpDialog::tr("Enter"), HelpDialog::tr("Send the message")});
    list.append({HelpDialog::tr("Shift+Enter"), HelpDialog::tr("Begin a new line")});
    list.append(
        {HelpDialog::tr("Up"), HelpDialog::tr("What was sent before, in an empty composer")});
    return list;
}

}  // namespace

HelpDialog::HelpDialog(const QList<QAction*>& actions, QWidget* parent) : QDialog(parent) {
    setWindowTitle(tr("About Lockstep"));
    const int unit = fontMetrics().height();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(unit * 3 / 2, unit * 3 / 2, unit * 3 / 2, unit);
    column->addWidget(headingLabel(tr("Lockstep %1").arg(QStringLiteral(LOCKSTEP_VERSION)), 1.5));
    column->addWidget(
        mutedLabel(tr("A local chat whose answers are streamed from fused kernels, while "
                      "an unfused reference stands beside them. Free software under the "
                      "GNU General Public License, version 3 or later.")));
    column->addSpacing(unit / 2);
    column->addWidget(headingLabel(tr("Shortcuts"), 1.1));
    auto* grid = new QGridLayout;
    grid->setHorizontalSpacing(unit * 2);
    int row = 0;
    for (const Shortcut& shortcut : shortcuts(actions)) {
        grid->addWidget(new QLabel(shortcut.keys), row, 0);
        grid->addWidget(mutedLabel(shortcut.text), row++, 1);
    }
    grid->setColumnStretch(1, 1);
    column->addLayout(grid);
    column->addSpacing(unit / 2);
    auto* close_button = new QPushButton(tr("&Close"));
    connect(close_button, &QPushButton::clicked, this, &QDialog::reject);
    column->addWidget(close_button, 0, Qt::AlignRight);
    setMinimumWidth(unit * 30);
}

}  // namespace lockstep
