// SPDX-License-Identifier: GPL-3.0-or-later
// What the window does with a check of the kernels: tells it in the status bar, and falls back to
// the reference where they compute something else.
#include <QFileDialog>
#include <QFileInfo>

#include "ui/chat/chat_page.h"
#include "ui/check/path_check.h"
#include "ui/engine_thread.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/run_bar.h"
#include "ui/main_window.h"
#include "ui/notice_bar.h"
#include "ui/status_line.h"
#include "ui/window_actions.h"

namespace lockstep {

using State = CheckedPath::State;

namespace {

QString cannotBeUsed(const CheckedPath& kernel) {
    return MainWindow::tr("%1 can't be used: %2").arg(shownPath(kernel.path), kernel.sentence);
}

}  // namespace

void MainWindow::connectCheck() {
    connect(check_, &PathCheck::changed, this, &MainWindow::showCheck);
    connect(check_, &PathCheck::kernelChecked, this, &MainWindow::sayKernel);
    connect(inspection_, &InspectionThread::busyChanged, this, &MainWindow::refreshBusy);
    connect(status_, &StatusLine::checkClicked, this,
            [this] { Q_EMIT inspectorWanted(check_->lastRun()); });
    connect(actions_->check_again, &QAction::triggered, this, [this] {
        fallback_said_ = false;
        check_->checkAgain();
    });
    connect(actions_->load_kernel, &QAction::triggered, this, &MainWindow::chooseKernel);
    check_->setKernel(store_->values().user_kernel);
}

void MainWindow::refreshBusy() {
    check_->setBusy(engine_->isBusy() || inspection_->isBusy());
}

void MainWindow::showCheck() {
    const CheckedPath result = check_->result();
    status_->setCheck(check_->summary(), result.sentence, !check_->divergesAt().isEmpty());
    const bool any = result.state != State::unknown || check_->kernel().state != State::unknown;
    actions_->check_again->setEnabled(any && result.state != State::checking);
    applyPath();
    tellPathState();
    if (!check_->fallsBack())
        fallback_said_ = false;
    else if (!fallback_said_)
        sayFallback();
}

void MainWindow::sayFallback() {
    fallback_said_ = true;
    const CheckedPath result = check_->result();
    notice_->showNotice(NoticeBar::Kind::warning,
                        tr("%1 parts from the reference (%2): the chat uses the reference.")
                            .arg(result.path, check_->divergesAt()),
                        result.sentence,
                        {tr("&Show"), [this] { Q_EMIT inspectorWanted(check_->lastRun()); }},
                        {tr("&Use %1 anyway").arg(result.path), [this] { check_->useAnyway(); }});
}

void MainWindow::chooseKernel() {
    const QString before = store_->values().user_kernel;
    const QString file = QFileDialog::getOpenFileName(
        this, tr("Load a kernel"), QFileInfo(before).path(),
        tr("Shared objects (*.so)") + QStringLiteral(";;") + tr("All files (*)"));
    if (!file.isEmpty()) loadKernel(file);
}

void MainWindow::loadKernel(const QString& file) {
    kernel_awaited_ = true;
    notice_->dismiss();
    Settings settings = store_->values();
    const QString path = QFileInfo(file).absoluteFilePath();
    inspector_->panel()->bar()->addCandidate(path);
    const bool again = settings.user_kernel == path;
    settings.user_kernel = path;
    settings.use_user_kernel = settings.use_user_kernel && again;
    store_->set(settings);
    if (again) check_->checkAgain();
    if (!model_.path.isEmpty()) return;
    notice_->showNotice(
        NoticeBar::Kind::warning,
        tr("%1 will be checked with the first model that you open.").arg(shownPath(path)));
}

// At a start nobody waits for the result: only what keeps the user's kernels from being used is
// told.
void MainWindow::sayKernel() {
    const CheckedPath kernel = check_->kernel();
    const bool wanted = store_->values().use_user_kernel;
    const bool asked = std::exchange(kernel_awaited_, false);
    if (!asked && (!wanted || kernel.state == State::matches)) return;
    const QString name = shownPath(kernel.path);
    const NoticeAction show{tr("&Show"), [this] { Q_EMIT inspectorWanted(check_->kernelRun()); }};
    const NoticeAction again{tr("&Check again"), [this, file = kernel.path] { loadKernel(file); }};
    const NoticeAction use{tr("&Use it in the chat"), [this] {
                               Settings settings = store_->values();
                               settings.use_user_kernel = settings.fused = true;
                               settings.truth = false;
                               store_->set(settings);
                           }};
    if (kernel.state == State::matches)
        notice_->showNotice(NoticeBar::Kind::success,
                            tr("%1 computes what the reference does.").arg(name), kernel.sentence,
                            wanted ? NoticeAction() : use, show);
    else if (kernel.state == State::diverges)
        notice_->showNotice(NoticeBar::Kind::warning,
                            tr("%1 parts from the reference (%2): the chat does not use it.")
                                .arg(name, kernel.partsIn(PathChoice(kernel.path.toStdString()))),
                            kernel.sentence, show, again);
    else
        notice_->showNotice(NoticeBar::Kind::error, cannotBeUsed(kernel), {}, again);
}

void MainWindow::tellPathState() {
    PathState state;
    state.in_use = QString::fromStdString(check_->inUse().name());
    const CheckedPath kernel = check_->kernel();
    const QString name = shownPath(store_->values().user_kernel);
    state.user_kernel_passed = kernel.state == State::matches;
    const bool awaited = !name.isEmpty() && kernel.state == State::unknown;
    if (kernel.state == State::checking || (awaited && !model_.path.isEmpty()))
        state.user_kernel = tr("%1 is being checked …").arg(name);
    else if (kernel.state == State::failed)
        state.user_kernel = cannotBeUsed(kernel);
    else if (!kernel.sentence.isEmpty())
        state.user_kernel = kernel.sentence;  // it begins with the kernel's name
    else if (awaited)
        state.user_kernel = tr("%1 is checked once a model is open.").arg(name);
    store_->setPathState(state);
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
