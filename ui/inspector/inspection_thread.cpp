// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/inspection_thread.h"

#include <utility>

#include "ui/inspector/inspection_worker.h"

namespace lockstep {

InspectionThread::InspectionThread(QObject* parent)
    : QObject(parent), thread_(new QThread), worker_(new InspectionWorker) {
    thread_->setObjectName(QStringLiteral("inspector"));
    worker_->moveToThread(thread_);
    connect(thread_, &QThread::started, worker_, &InspectionWorker::lowerPriority);
    connect(worker_, &InspectionWorker::progressed, this, &InspectionThread::progressed);
    // Counted first: who hears of an end may ask isBusy().
    connect(worker_, &InspectionWorker::finished, this, &InspectionThread::ended);
    connect(worker_, &InspectionWorker::reopened, this, &InspectionThread::ended);
    connect(worker_, &InspectionWorker::failed, this, &InspectionThread::ended);
    connect(worker_, &InspectionWorker::cancelled, this, &InspectionThread::ended);
    connect(worker_, &InspectionWorker::finished, this, &InspectionThread::finished);
    connect(worker_, &InspectionWorker::reopened, this, &InspectionThread::reopened);
    connect(worker_, &InspectionWorker::failed, this, &InspectionThread::failed);
    connect(worker_, &InspectionWorker::cancelled, this, &InspectionThread::cancelled);
    thread_->start();
}

InspectionThread::~InspectionThread() {
    // A thread that does not end keeps what it uses: both are left behind rather than torn down.
    if (shutDown()) delete thread_;
}

template <class Run>
InspectionId InspectionThread::ask(const InspectionRequest& request, const Run& run) {
    if (!worker_) return 0;  // shut down
    const InspectionId id = ++last_;
    if (++outstanding_ == 1) Q_EMIT busyChanged(true);
    // The model is held by what is queued, and let go of on the inspector's thread.
    QMetaObject::invokeMethod(
        worker_,
        [worker = worker_, id, model = request.model.lock(), request, run] {
            run(*worker, id, model, request);
        },
        Qt::QueuedConnection);
    return id;
}

InspectionId InspectionThread::inspect(const InspectionRequest& request) {
    return ask(request, [](InspectionWorker& worker, InspectionId id, const auto& model,
                           const InspectionRequest& wanted) { worker.run(id, model, wanted); });
}

InspectionId InspectionThread::reopen(const InspectionRequest& request, const Divergence& where) {
    return ask(request, [where](InspectionWorker& worker, InspectionId id, const auto& model,
                                const InspectionRequest& wanted) {
        worker.reopen(id, model, wanted, where);
    });
}

void InspectionThread::ended() {
    if (--outstanding_ == 0) Q_EMIT busyChanged(false);
}

void InspectionThread::cancel() {
    if (worker_) worker_->cancel(last_);
}

void InspectionThread::setGivingWay(bool on) {
    if (worker_) worker_->setGivingWay(on);
}

bool InspectionThread::shutDown(int milliseconds) {
    if (!worker_) return true;
    thread_->quit();
    worker_->cancel(last_);
    if (!thread_->wait(QDeadlineTimer(milliseconds))) return false;
    delete std::exchange(worker_, nullptr);
    return true;
}

}  // namespace lockstep
