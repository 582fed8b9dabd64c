// SPDX-License-Identifier: GPL-3.0-or-later
// What happens over time in the window: a model is opened, an answer streams, a download runs.
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QRandomGenerator>
#include <QStackedWidget>

#include "ui/chat/chat_model.h"
#include "ui/chat/chat_page.h"
#include "ui/check/path_check.h"
#include "ui/context_count.h"
#include "ui/engine_thread.h"
#include "ui/history/history_panel.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/main_window.h"
#include "ui/models/model_picker.h"
#include "ui/models/start_page.h"
#include "ui/notice_bar.h"
#include "ui/progress_strip.h"
#include "ui/status_line.h"
#include "ui/window_actions.h"

namespace lockstep {

void MainWindow::openFirstModel(const QString& wanted) {
    if (!wanted.isEmpty()) return openModel(wanted);
    const QString last = store_->lastModel();
    if (!last.isEmpty() && QFileInfo::exists(last)) return openModel(last);
    if (!last.isEmpty())
        notice_->showNotice(NoticeBar::Kind::warning, tr("The last model is not there any more"),
                            QDir::toNativeSeparators(last));
    const DownloadableModel* first = library_.defaultModel();
    const QString path = first ? QDir(library_.folder()).filePath(first->path) : QString();
    if (first && QFileInfo::exists(path)) openModel(path);
}

void MainWindow::chooseFile() {
    const QString start = model_.path.isEmpty() ? library_.folder() : QFileInfo(model_.path).path();
    const QString path = QFileDialog::getOpenFileName(
        this, tr("Open a model file"), start,
        tr("GGUF models (*.gguf *.GGUF)") + QStringLiteral(";;") + tr("All files (*)"));
    if (!path.isEmpty()) openModel(path);
}

void MainWindow::chooseFolder() {
    const QString start = model_.path.isEmpty() ? library_.folder() : QFileInfo(model_.path).path();
    const QString path =
        QFileDialog::getExistingDirectory(this, tr("Open a Hugging Face model folder"), start);
    if (!path.isEmpty()) openModel(path);
}

void MainWindow::openModel(const QString& path) {
    if (path == loading_) return;
    engine_->cancel();  // an answer of the old model, or another load
    loading_ = QFileInfo(path).absoluteFilePath();
    notice_->dismiss();
    applied_ = engineOptions();
    loading_job_ = engine_->load(loading_, applied_);
    refreshBusy();
    refreshModelState();
}

void MainWindow::showLoadStep(const LoadStep& step) {
    if (step.job != loading_job_) return;
    const QString needed =
        step.memory_needed > 0 ? tr("%1 of memory").arg(sizeText(step.memory_needed)) : QString();
    load_strip_->showProgress(tr("Loading %1").arg(QFileInfo(step.path).fileName()), step.done,
                              step.total, needed);
}

void MainWindow::takeModel(const LoadedModel& model) {
    model_ = model;
    if (model.job == loading_job_) loading_.clear();
    model_.name = titleOf(model);
    store_->setLastModel(model.path);
    if (!model.template_problem.isEmpty() && gpu_gone_.isEmpty())
        notice_->showNotice(NoticeBar::Kind::warning,
                            tr("The model's own chat template cannot be used: a plain one is"),
                            model.template_problem);
    fallback_said_ = false;
    check_->setModel(model_);
    inspector_->panel()->setModel(model_.model);
    refreshBusy();
    refreshModelState();
    countContext();
    chat_->focusComposer();
}

void MainWindow::sayLoadFailed(const LoadFailure& failure) {
    const bool opening = failure.job == loading_job_;
    if (opening) loading_.clear();
    const QString name_before = model_.name;
    if (!failure.model_kept && !device_is_gone(failure.kind)) {
        model_ = {};
        check_->setModel(model_);
        inspector_->panel()->setModel(model_.model);
    }
    refreshBusy();
    refreshModelState();
    if (failure.kind == ErrorKind::cancelled) return;
    if (device_is_gone(failure.kind))
        return goOnByCpu(failure.kind, failure.message, opening ? failure.path : model_.path);
    if (!opening)
        return notice_->showNotice(NoticeBar::Kind::error,
                                   tr("Threads or context could not be changed."), failure.message);
    QString summary = tr("%1 could not be opened.").arg(QFileInfo(failure.path).fileName());
    if (!model_.path.isEmpty())
        summary += tr(" %1 stays in use.").arg(model_.name);
    else if (!name_before.isEmpty())
        summary += tr(" %1 made room for it and is not open any more.").arg(name_before);
    if (failure.kind == ErrorKind::out_of_memory) return sayTooLittleMemory(failure, summary);
    notice_->showNotice(NoticeBar::Kind::error, summary, failure.message,
                        {tr("&Try again"), [this, path = failure.path] { openModel(path); }});
}

QString MainWindow::titleOf(const LoadedModel& model) const {
    const QString title = library_.catalogueTitle(model.path);
    return title.isEmpty() ? model.name : title;
}

void MainWindow::refreshModelState() {
    const bool any = !model_.path.isEmpty();
    setWindowTitle(any ? tr("%1 – Lockstep").arg(model_.name) : tr("Lockstep"));
    picker_->setCurrent(model_.name, model_.path);
    picker_->setRecent(store_->recentModels());
    status_->setModel(model_, whyNoGpu());
    if (isLoading()) {
        const QString name = library_.titleOf(loading_);
        load_strip_->showProgress(tr("Loading %1").arg(QFileInfo(loading_).fileName()), 0, 0);
        chat_->setModelName(name);
        chat_->setReady(false, tr("%1 is being loaded").arg(name));
    } else {
        load_strip_->hide();
        chat_->setModelName(model_.name);
        chat_->setReady(any, tr("Choose a model first"));
    }
    const DownloadableModel* first = library_.defaultModel();
    const QString path = first ? QDir(library_.folder()).filePath(first->path) : QString();
    start_->setInstalledPath(first && QFileInfo::exists(path) ? path : QString());
    pages_->setCurrentWidget(any || isLoading() ? static_cast<QWidget*>(chat_) : start_);
    history_->setVisible(pages_->currentWidget() == chat_ && actions_->conversations->isChecked());
    for (QAction* action : {actions_->new_chat, actions_->export_chat, actions_->copy_answer})
        action->setVisible(pages_->currentWidget() == chat_);
}

void MainWindow::ask(const QVector<ChatEntry>& conversation) {
    context_count_->forget();  // the engine tells from here on
    const Settings& settings = store_->values();
    AnswerRequest request;
    request.conversation = conversation;
    request.sampling =
        samplingOptions(settings, model_.defaults, QRandomGenerator::global()->generate64());
    request.stop_strings = settings.stop_strings;
    request.max_tokens = settings.max_tokens;
    engine_->answer(request);
    refreshBusy();
}

void MainWindow::showTokens(const TokenBatch& batch) {
    chat_->appendText(batch.text);
    showContext(batch.context_used);
    status_->setSpeed(batch.tokens_per_second);
}

void MainWindow::endAnswer(qint64 context_used) {
    refreshBusy();
    if (context_used >= 0) showContext(context_used);
    if (options_wait_) applyEngineOptions();
}

void MainWindow::showContext(qint64 used) {
    chat_->setContextUse(used, model_.context);
    status_->setContext(used, model_.context);
}

// Of what the page shows, before the engine is told of it.
void MainWindow::countContext() {
    showContext(0);
    context_count_->forget();
    if (!model_.path.isEmpty() && chat_->model()->turns() > 0 && !chat_->isAnswering())
        context_count_->count(model_.model, chat_->conversation());
}

void MainWindow::applyEngineOptions() {
    options_wait_ = chat_->isAnswering();
    const EngineOptions wanted = engineOptions();
    if (options_wait_ || wanted == applied_) return;
    const bool reload =
        wanted.dtype != applied_.dtype || wanted.device != applied_.device || isLoading();
    const QString path = isLoading() ? loading_ : model_.path;
    applied_ = wanted;
    if (path.isEmpty()) return;
    if (!reload) {
        engine_->configure(wanted);
        return;
    }
    loading_.clear();  // the same path again, with other options
    openModel(path);
}

void MainWindow::download(const QString& name) {
    if (download_->isRunning()) return;
    downloading_ = name;
    notice_->dismiss();
    download_->start(name, library_.folder());
    showDownload(0, 0);
}

void MainWindow::showDownload(qint64 done, qint64 total) {
    const bool at_start = pages_->currentWidget() == start_;
    if (at_start)
        start_->showDownload(done, total);
    else
        download_strip_->showProgress(tr("Downloading %1").arg(downloading_), done, total,
                                      total > 0 ? sizeText(total) : QString());
}

void MainWindow::endDownload() {
    downloading_.clear();
    download_strip_->hide();
    start_->showDownloadEnded();
    refreshModelState();
}

}  // namespace lockstep
