// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/inspection_thread.h"

#include <utility>

#include "ui/inspector/inspection_worker.h"

namespace lockstep {

template <class Value>
void InspectionThread::passOn(void (InspectionWorker::*from)(const Value&),
                              void (InspectionThread::*to)(const Value&), Run run) {
    connect(worker_, from, this, [this, to, run](const Value& value) {
        value.hand_over.taken();
        if (run == Run::ends) ended();  // before it is told: who hears of it may ask isBusy()
        Q_EMIT(this->*to)(value);
    });
}

InspectionThread::InspectionThread(QObject* parent)
    : QObject(parent), thread_(new QThread), worker_(new InspectionWorker) {
    thread_->setObjectName(QStringLiteral("inspector"));
    worker_->moveToThread(thread_);
    connect(thread_, &QThread::started, worker_, &InspectionWorker::lowerPriority);
    passOn(&InspectionWorker::progressed, &InspectionThread::progressed, Run::goes_on);
    passOn(&InspectionWorker::finished, &InspectionThread::finished, Run::ends);
    passOn(&InspectionWorker::reopened, &InspectionThread::reopened, Run::ends);
    passOn(&InspectionWorker::failed, &InspectionThread::failed, Run::ends);
    passOn(&InspectionWorker::cancelled, &InspectionThread::cancelled, Run::ends);
    thread_->start();
}

InspectionThread::~InspectionThread() {
    // A thread that does not end keeps what it uses: both are left behind rather than torn down.
    if (shutDown()) delete thread_;
}

template <class Call>
InspectionId InspectionThread::ask(const InspectionRequest& request, const Call& run) {
    if (!worker_) return 0;  // shut down
    const InspectionId id = ++last_;
    if (++outstanding_ == 1) Q_EMIT busyChanged(true);
    // The model is held by what is queued, and let go of on the inspector's thread.
    QMetaObject::invokeMethod(worker_,
                              QueuedCall{[worker = worker_, id, model = request.model.lock(),
                                          request, run] { run(*worker, id, model, request); }},
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
