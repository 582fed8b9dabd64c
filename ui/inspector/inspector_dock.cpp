// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/inspector_dock.h"

#include <QHBoxLayout>
#include <QScrollArea>
#include <QToolButton>

#include "ui/inspector/inspector_panel.h"
#include "ui/theme/icons.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

QToolButton* titleButton(const char* icon, const QString& name) {
    auto* button = new QToolButton;
    button->setIcon(themedIcon(QLatin1String(icon)));
    button->setToolTip(name);
    button->setAccessibleName(name);
    button->setAutoRaise(true);
    button->setFocusPolicy(Qt::StrongFocus);
    return button;
}

}  // namespace

InspectorDock::InspectorDock(InspectionThread* thread, QWidget* parent)
    : QDockWidget(tr("Inspector"), parent), panel_(new InspectorPanel(thread)) {
    setObjectName(QStringLiteral("inspector_dock"));
    setAllowedAreas(Qt::LeftDockWidgetArea | Qt::RightDockWidgetArea | Qt::BottomDockWidgetArea);
    setTitleBarWidget(makeTitle());
    // A window lower than the panel needs does not grow for it: the panel scrolls.
    auto* scroll = new QScrollArea;
    scroll->setWidget(panel_);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setMinimumWidth(fontMetrics().height() * 19);
    setWidget(scroll);
}

QWidget* InspectorDock::makeTitle() {
    auto* bar = new QWidget;
    const int unit = fontMetrics().height();
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(unit / 2, unit / 4, unit / 4, unit / 4);
    row->setSpacing(unit / 4);
    row->addWidget(headingLabel(tr("Inspector"), 1.0));
    row->addStretch();
    auto* undock = titleButton("float", tr("A window of its own, or back"));
    auto* shut = titleButton("close", tr("Close the inspector (Ctrl+I)"));
    connect(undock, &QToolButton::clicked, this, [this] { setFloating(!isFloating()); });
    connect(shut, &QToolButton::clicked, this, &QWidget::close);
    row->addWidget(undock);
    row->addWidget(shut);
    return bar;
}

}  // namespace lockstep
