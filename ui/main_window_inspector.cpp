// SPDX-License-Identifier: GPL-3.0-or-later
// The inspector beside the chat: when it is shown, and what it is told of the chat.
#include <QPushButton>

#include "ui/chat/chat_model.h"
#include "ui/chat/chat_page.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/run_bar.h"
#include "ui/main_window.h"
#include "ui/notice_bar.h"
#include "ui/status_line.h"
#include "ui/window_actions.h"

namespace lockstep {
namespace {

constexpr int said_ms = 4000;

}  // namespace

void MainWindow::connectInspector(const IsolationOptions& isolation) {
    InspectorPanel* panel = inspector_->panel();
    panel->setIsolation(isolation);
    // Looked at, it is also checked for the chat, as if it had been loaded in the file menu.
    connect(panel->bar(), &RunBar::kernelLoaded, this, &MainWindow::loadKernel);
    connect(actions_->inspector, &QAction::toggled, this, &MainWindow::showInspector);
    connect(inspector_->toggleViewAction(), &QAction::toggled, actions_->inspector,
            &QAction::setChecked);
    connect(panel, &InspectorPanel::failed, this,
            [this](const QString& summary, const QString& details) {
                notice_->showNotice(NoticeBar::Kind::error, summary, details);
            });
    connect(panel, &InspectorPanel::said, this,
            [this](const QString& message) { status_->showMessage(message, said_ms); });
    connect(this, &MainWindow::inspectorWanted, this, [this, panel](const FinishedInspection& run) {
        actions_->inspector->setChecked(true);
        panel->showResult(run, tr("the first check"));
    });
    panel->setConversation([this] { return chat_->conversation(); });
    for (const auto signal : {&QAbstractItemModel::rowsInserted, &QAbstractItemModel::rowsRemoved})
        connect(chat_->model(), signal, panel, &InspectorPanel::refreshConversation);
    connect(chat_->model(), &QAbstractItemModel::modelReset, panel,
            &InspectorPanel::refreshConversation);
    restoreState(store_->state(QStringLiteral("window/docks")).toByteArray());
}

void MainWindow::showInspector(bool on) {
    if (on == inspector_->isVisibleTo(this)) return;
    const bool first = on && inspector_->width() < width() / 4;
    inspector_->setVisible(on);
    if (first) resizeDocks({inspector_}, {width() * 48 / 100}, Qt::Horizontal);
    if (on)
        inspector_->panel()->bar()->runButton()->setFocus();
    else
        chat_->focusComposer();
}

}  // namespace lockstep
