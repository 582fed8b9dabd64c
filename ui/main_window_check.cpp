// SPDX-License-Identifier: GPL-3.0-or-later
// What the window does with a check of the kernels: tells it in the status bar, and falls back to
// the reference where they compute something else.
#include "ui/chat/chat_page.h"
#include "ui/check/path_check.h"
#include "ui/engine_thread.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/main_window.h"
#include "ui/notice_bar.h"
#include "ui/status_line.h"
#include "ui/window_actions.h"

namespace lockstep {

void MainWindow::connectCheck() {
    connect(check_, &PathCheck::changed, this, &MainWindow::showCheck);
    connect(inspection_, &InspectionThread::busyChanged, this, &MainWindow::refreshBusy);
    connect(status_, &StatusLine::checkClicked, this,
            [this] { Q_EMIT inspectorWanted(check_->lastRun()); });
    connect(actions_->check_again, &QAction::triggered, this, [this] {
        fallback_said_ = false;
        check_->checkAgain();
    });
}

void MainWindow::refreshBusy() {
    check_->setBusy(engine_->isBusy() || inspection_->isBusy());
}

void MainWindow::showCheck() {
    const CheckedPath result = check_->result();
    status_->setCheck(check_->summary(), result.sentence, check_->diverges());
    actions_->check_again->setEnabled(result.state != CheckedPath::State::unknown &&
                                      result.state != CheckedPath::State::checking);
    applyPath();
    if (!check_->fallsBack())
        fallback_said_ = false;
    else if (!fallback_said_)
        sayFallback();
}

void MainWindow::sayFallback() {
    fallback_said_ = true;
    const CheckedPath result = check_->result();
    const PartedStep* parted = result.firstParted(pathChoice(store_->values()));
    if (!parted) return;
    notice_->showNotice(NoticeBar::Kind::warning,
                        tr("%1 parts from the reference in %2: the chat uses the reference.")
                            .arg(result.path, parted->where),
                        result.sentence,
                        {tr("&Show"), [this] { Q_EMIT inspectorWanted(check_->lastRun()); }},
                        {tr("&Use %1 anyway").arg(result.path), [this] { check_->useAnyway(); }});
}

// By the switch. Where the reference stands in for kernels that diverge, switching them on is to
// say "anyway".
void MainWindow::chooseFused(bool on) {
    if (on && check_->fallsBack()) return check_->useAnyway();
    Settings settings = store_->values();
    settings.fused = on;
    if (on) settings.truth = false;
    store_->set(settings);
}

}  // namespace lockstep
