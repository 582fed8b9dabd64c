// SPDX-License-Identifier: GPL-3.0-or-later
// On which device the chat runs, what is offered where a model does not fit there, and how it goes
// on where a GPU is lost: by the CPU, until the program is started again.
#include <QLocale>

#include "ui/history/history_panel.h"
#include "ui/main_window.h"
#include "ui/notice_bar.h"
#include "ui/window_actions.h"

namespace lockstep {

EngineOptions MainWindow::engineOptions() const {
    EngineOptions options = store_->values().engine;
    if (!gpu_gone_.isEmpty())
        options.device = QStringLiteral("cpu");
    else if (!device_for_now_.isEmpty())
        options.device = device_for_now_;
    return options;
}

QString MainWindow::whyNoGpu() const {
    return gpu_gone_.isEmpty() ? model_.no_gpu : gpu_gone_;
}

void MainWindow::tellDevices() {
    const QString gone = tr("The GPU is not used any more until Lockstep is started again.");
    store_->setDeviceState({gpus_, gpu_gone_.isEmpty() ? gpus_problem_ : gone});
}

// path: the model that was on the GPU, or was to be.
void MainWindow::goOnByCpu(ErrorKind kind, const QString& message, const QString& path) {
    gpu_gone_ = message;
    tellDevices();
    actions_->restart->setVisible(true);
    const QString wanted = isLoading() ? loading_ : path;
    loading_.clear();
    if (!wanted.isEmpty()) openModel(wanted);
    const QString what =
        kind == ErrorKind::device_hang ? tr("The GPU does not answer.") : tr("The GPU has failed.");
    notice_->showNotice(NoticeBar::Kind::error,
                        what + tr(" The conversation is kept, and the chat goes on by the CPU."),
                        message, {tr("&Restart Lockstep"), [this] { restart(); }});
}

void MainWindow::sayTooLittleMemory(const LoadFailure& failure, const QString& summary) {
    QVector<NoticeAction> choices;
    const auto offer = [&](const QString& text, std::function<void(EngineOptions&)> change) {
        choices.append({text, [this, path = failure.path, change = std::move(change)] {
                            openWith(path, change);
                        }});
    };
    if (failure.shorter_context > 0)
        offer(tr("Use %1 &tokens of context").arg(QLocale().toString(failure.shorter_context)),
              [context = failure.shorter_context](EngineOptions& o) { o.context = context; });
    if (failure.as_bf16) offer(tr("Use &bf16"), [](EngineOptions& o) { o.dtype = DType::bf16; });
    if (failure.on_cpu)
        offer(tr("Use the &CPU"), [](EngineOptions& o) { o.device = QStringLiteral("cpu"); });
    if (choices.isEmpty())
        choices.append({tr("&Try again"), [this, path = failure.path] { openModel(path); }});
    choices.resize(3);
    notice_->showNotice(NoticeBar::Kind::error, summary + tr(" Memory is too small for it."),
                        failure.message, choices[0], choices[1], choices[2]);
}

void MainWindow::openWith(const QString& path, const std::function<void(EngineOptions&)>& change) {
    Settings settings = store_->values();
    change(settings.engine);
    device_for_now_.clear();
    applied_ = settings.engine;  // for this model, not for the one in use
    store_->set(settings);
    openModel(path);
}

void MainWindow::restart() {
    saveAll();
    const QString model = isLoading() ? loading_ : model_.path;
    QStringList arguments;
    if (!model.isEmpty()) arguments << model;
    if (const qint64 id = history_->current())
        arguments << QStringLiteral("--conversation") << QString::number(id);
    if (!device_for_now_.isEmpty()) arguments << QStringLiteral("--device") << device_for_now_;
    if (restart_ && restart_(arguments)) return;
    notice_->showNotice(NoticeBar::Kind::error, tr("Lockstep could not be started again."),
                        tr("Close it and start it anew: the conversation is saved."));
}

}  // namespace lockstep
