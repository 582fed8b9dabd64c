// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/fault_menu.h"

#include "ui/inspector/figures.h"

namespace lockstep {

FaultMenu::FaultMenu(QWidget* parent) : QMenu(parent) {
    setAccessibleName(tr("Plant a fault"));
    addFaults();
}

void FaultMenu::addFaults() {
    QMenu* of_step = nullptr;
    QString step;
    for (const FaultInfo& fault : fault_catalog()) {
        if (!of_step || stepText(fault.step) != step) {
            step = stepText(fault.step);
            of_step = addMenu(step);
            of_step->setToolTipsVisible(true);
        }
        const QString name = toText(fault.name);
        QAction* action = of_step->addAction(name);
        action->setObjectName(QStringLiteral("fault_") + name);
        action->setToolTip(toText(fault.summary));
        action->setStatusTip(toText(fault.summary));
        connect(action, &QAction::triggered, this, [this, name] { Q_EMIT chosen(name); });
    }
}

void FaultMenu::setModel(const ModelConfig& config) {
    for (const FaultInfo& fault : fault_catalog()) {
        const QString name = toText(fault.name);
        auto* action = findChild<QAction*>(QStringLiteral("fault_") + name);
        const QString why_not = QString::fromStdString(fault_without_effect(fault, config));
        action->setEnabled(why_not.isEmpty());
        action->setText(why_not.isEmpty() ? name : tr("%1 (%2)").arg(name, why_not));
    }
}

}  // namespace lockstep
