// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/engine_thread.h"

#include <QDeadlineTimer>
#include <utility>
#include <vector>

#include "ui/engine_worker.h"

namespace lockstep {
namespace {

constexpr int cancel_again_ms = 20;
// After a stop. An answer's own wait gives up a little earlier, where it can: then the thread
// lives. A load also sets the GPU up, which may take a while.
constexpr int patience_ms = 800;
constexpr int load_patience_ms = 5000;

struct LeftBehind {
    QThread* thread;
    EngineWorker* worker;
};

// For as long as the process lives: a stuck thread may wake up at any time.
void keepForever(const LeftBehind& stuck) {
    static auto& all = *new std::vector<LeftBehind>;
    all.push_back(stuck);
}

}  // namespace

template <class Value>
void EngineThread::passOn(void (EngineWorker::*from)(const Value&),
                          void (EngineThread::*to)(const Value&), Job job) {
    connect(worker_, from, this, [this, to, job, generation = generation_](const Value& value) {
        value.hand_over.taken();
        if (generation != generation_) return;
        if (job == Job::ends) jobEnded();  // before it is told: who hears of it may ask isBusy()
        Q_EMIT(this->*to)(value);
    });
}

EngineThread::EngineThread(const DeviceFinder& finder, QObject* parent)
    : QObject(parent), finder_(finder) {
    start();
    cancel_again_.setInterval(cancel_again_ms);
    connect(&cancel_again_, &QTimer::timeout, this, &EngineThread::cancelAgain);
}

void EngineThread::start() {
    ++generation_;
    thread_ = new QThread;
    worker_ = new EngineWorker(finder_);
    thread_->setObjectName(QStringLiteral("engine"));
    worker_->moveToThread(thread_);
    passOn(&EngineWorker::devicesFound, &EngineThread::devicesFound, Job::goes_on);
    passOn(&EngineWorker::loadProgressed, &EngineThread::loadProgressed, Job::goes_on);
    passOn(&EngineWorker::tokensArrived, &EngineThread::tokensArrived, Job::goes_on);
    passOn(&EngineWorker::loaded, &EngineThread::loaded, Job::ends);
    passOn(&EngineWorker::loadFailed, &EngineThread::loadFailed, Job::ends);
    passOn(&EngineWorker::answerFinished, &EngineThread::answerFinished, Job::ends);
    passOn(&EngineWorker::answerFailed, &EngineThread::answerFailed, Job::ends);
    thread_->start();
}

EngineThread::~EngineThread() {
    // A thread that does not end keeps what it uses: both are left behind rather than torn down.
    shutDown();
    if (!worker_) delete thread_;
}

template <class... Args>
JobId EngineThread::ask(Kind kind, const QString& path, void (EngineWorker::*slot)(JobId, Args...),
                        const std::decay_t<Args>&... args) {
    if (!worker_) return 0;  // shut down
    const JobId job = ++last_job_;
    outstanding_.enqueue({job, kind, path});
    QMetaObject::invokeMethod(worker_, QueuedCall{[worker = worker_, slot, job, args...] {
                                  (worker->*slot)(job, args...);
                              }},
                              Qt::QueuedConnection);
    return job;
}

void EngineThread::findDevices() {
    if (!worker_) return;
    QMetaObject::invokeMethod(worker_, &EngineWorker::findDevices, Qt::QueuedConnection);
}

JobId EngineThread::load(const QString& path, const EngineOptions& options) {
    return ask(Kind::load, path, &EngineWorker::load, path, options);
}

JobId EngineThread::configure(const EngineOptions& options) {
    return ask(Kind::load, {}, &EngineWorker::configure, options);
}

JobId EngineThread::answer(const AnswerRequest& request) {
    return ask(Kind::answer, {}, &EngineWorker::answer, request);
}

void EngineThread::forgetConversation() {
    if (!worker_) return;
    QMetaObject::invokeMethod(worker_, &EngineWorker::forgetConversation, Qt::QueuedConnection);
}

void EngineThread::cancel() {
    if (outstanding_.isEmpty() || !worker_) return;
    if (!oldestIsCancelled()) since_cancel_.start();
    last_cancelled_ = last_job_;
    worker_->cancel(last_cancelled_);
    cancel_again_.start();
}

bool EngineThread::oldestIsCancelled() const {
    return !outstanding_.isEmpty() && outstanding_.head().id <= last_cancelled_;
}

void EngineThread::cancelAgain() {
    if (!worker_) return;
    worker_->cancel(last_cancelled_);
    if (!oldestIsCancelled()) return;
    const bool loads = outstanding_.head().kind == Kind::load;
    if (since_cancel_.elapsed() < (loads ? load_patience_ms : patience_ms)) return;
    if (Device* const gpu = worker_->gpuInUse()) leaveBehind(gpu);
}

void EngineThread::leaveBehind(Device* gpu) {
    gpu->give_up({ErrorKind::device_hang,
                  gpu->name() + " does not answer: it is still busy a second after a stop"});
    const std::string why = gpu->usable() ? std::string() : gpu->usable().error().message;
    thread_->quit();  // should it ever come back
    keepForever({thread_, worker_});
    left_behind_ = true;
    cancel_again_.stop();
    start();
    (void)worker_->setPath(path_);
    const QQueue<Outstanding> unfinished = std::exchange(outstanding_, {});
    const QString message = QString::fromStdString(why);
    for (const Outstanding& job : unfinished) {
        if (job.kind == Kind::answer) {
            Q_EMIT answerFailed({job.id, message, ErrorKind::device_hang});
            continue;
        }
        LoadFailure failure{job.id, job.path, message, ErrorKind::device_hang};
        failure.model_kept = false;
        Q_EMIT loadFailed(failure);
    }
}

Status EngineThread::setPath(const PathChoice& choice) {
    if (!worker_) return {};
    LOCKSTEP_TRY(worker_->setPath(choice));
    path_ = choice;
    return {};
}

void EngineThread::jobEnded() {
    outstanding_.dequeue();
    since_cancel_.restart();  // the next one's own time to end
    // What is left was asked after the cancel, or is still to be cancelled.
    if (!oldestIsCancelled()) cancel_again_.stop();
}

bool EngineThread::shutDown(int milliseconds) {
    if (!worker_) return !left_behind_;
    cancel_again_.stop();
    const QDeadlineTimer deadline(milliseconds);
    thread_->quit();
    do {
        worker_->cancel(last_job_);
        if (thread_->wait(QDeadlineTimer(cancel_again_ms))) {
            delete std::exchange(worker_, nullptr);  // not before: cancel() used it until now
            return !left_behind_;
        }
    } while (!deadline.hasExpired());
    return false;
}

}  // namespace lockstep
