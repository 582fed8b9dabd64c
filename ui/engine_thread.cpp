// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/engine_thread.h"

#include <QDeadlineTimer>
#include <utility>

#include "ui/engine_worker.h"

namespace lockstep {
namespace {

constexpr int cancel_again_ms = 20;

}  // namespace

template <class Value>
void EngineThread::passOn(void (EngineWorker::*from)(const Value&),
                          void (EngineThread::*to)(const Value&), Job job) {
    connect(worker_, from, this, [this, to, job](const Value& value) {
        value.hand_over.taken();
        if (job == Job::ends) jobEnded();  // before it is told: who hears of it may ask isBusy()
        Q_EMIT(this->*to)(value);
    });
}

EngineThread::EngineThread(QObject* parent)
    : QObject(parent), thread_(new QThread), worker_(new EngineWorker) {
    thread_->setObjectName(QStringLiteral("engine"));
    worker_->moveToThread(thread_);
    passOn(&EngineWorker::loadProgressed, &EngineThread::loadProgressed, Job::goes_on);
    passOn(&EngineWorker::tokensArrived, &EngineThread::tokensArrived, Job::goes_on);
    passOn(&EngineWorker::loaded, &EngineThread::loaded, Job::ends);
    passOn(&EngineWorker::loadFailed, &EngineThread::loadFailed, Job::ends);
    passOn(&EngineWorker::answerFinished, &EngineThread::answerFinished, Job::ends);
    passOn(&EngineWorker::answerFailed, &EngineThread::answerFailed, Job::ends);
    cancel_again_.setInterval(cancel_again_ms);
    connect(&cancel_again_, &QTimer::timeout, this, [this] { worker_->cancel(last_cancelled_); });
    thread_->start();
}

EngineThread::~EngineThread() {
    // A thread that does not end keeps what it uses: both are left behind rather than torn down.
    if (shutDown()) delete thread_;
}

template <class... Args>
JobId EngineThread::ask(void (EngineWorker::*slot)(JobId, Args...),
                        const std::decay_t<Args>&... args) {
    if (!worker_) return 0;  // shut down
    const JobId job = ++last_job_;
    ++outstanding_;
    QMetaObject::invokeMethod(worker_, QueuedCall{[worker = worker_, slot, job, args...] {
                                  (worker->*slot)(job, args...);
                              }},
                              Qt::QueuedConnection);
    return job;
}

JobId EngineThread::load(const QString& path, const EngineOptions& options) {
    return ask(&EngineWorker::load, path, options);
}

JobId EngineThread::configure(const EngineOptions& options) {
    return ask(&EngineWorker::configure, options);
}

JobId EngineThread::answer(const AnswerRequest& request) {
    return ask(&EngineWorker::answer, request);
}

void EngineThread::forgetConversation() {
    if (!worker_) return;
    QMetaObject::invokeMethod(worker_, &EngineWorker::forgetConversation, Qt::QueuedConnection);
}

void EngineThread::cancel() {
    if (outstanding_ == 0 || !worker_) return;
    last_cancelled_ = last_job_;
    worker_->cancel(last_cancelled_);
    cancel_again_.start();
}

Status EngineThread::setPath(const PathChoice& choice) {
    return worker_ ? worker_->setPath(choice) : Status();
}

void EngineThread::jobEnded() {
    --outstanding_;
    // Jobs end in order: what is left was asked after the cancel, or is still to be cancelled.
    const JobId oldest = last_job_ - JobId(outstanding_) + 1;
    if (oldest > last_cancelled_) cancel_again_.stop();
}

bool EngineThread::shutDown(int milliseconds) {
    if (!worker_) return true;
    cancel_again_.stop();
    const QDeadlineTimer deadline(milliseconds);
    thread_->quit();
    do {
        worker_->cancel(last_job_);
        if (thread_->wait(QDeadlineTimer(cancel_again_ms))) {
            delete std::exchange(worker_, nullptr);  // not before: cancel() used it until now
            return true;
        }
    } while (!deadline.hasExpired());
    return false;
}

}  // namespace lockstep
