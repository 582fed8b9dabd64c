// SPDX-License-Identifier: GPL-3.0-or-later
// The window's end of the engine: asks and never waits, hears back by signals on the GUI thread.
// Only shutDown() waits, and not for long. Where a job that was cancelled does not end because its
// GPU does not answer, its thread is left behind with all that it uses, its jobs are told as failed
// (device_hang), and another thread takes over, without a model.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QQueue>
#include <QThread>
#include <QTimer>

#include "core/run/path_choice.h"
#include "kernels/gpu_info.h"
#include "ui/engine_types.h"

namespace lockstep {

class EngineWorker;

class EngineThread : public QObject {
    Q_OBJECT
  public:
    explicit EngineThread(const DeviceFinder& finder = {}, QObject* parent = nullptr);
    ~EngineThread() override;

    void findDevices();  // devicesFound tells
    JobId load(const QString& path, const EngineOptions& options);
    JobId configure(const EngineOptions& options);
    JobId answer(const AnswerRequest& request);
    void forgetConversation();
    // Ends everything that was asked so far; it still says how it ended.
    void cancel();
    // Live, also in the middle of an answer.
    Status setPath(const PathChoice& choice);
    bool isBusy() const { return !outstanding_.isEmpty(); }

    // Cancels, and waits until the engine's thread has ended; false where it has not within the
    // time (or was left behind): then nothing that it uses may be torn down.
    bool shutDown(int milliseconds = 10000);

  Q_SIGNALS:
    void devicesFound(const lockstep::FoundDevices& devices);
    void loadProgressed(const lockstep::LoadStep& step);
    void loaded(const lockstep::LoadedModel& model);
    void loadFailed(const lockstep::LoadFailure& failure);
    void tokensArrived(const lockstep::TokenBatch& batch);
    void answerFinished(const lockstep::FinishedAnswer& answer);
    void answerFailed(const lockstep::FailedAnswer& failure);

  private:
    enum class Job { goes_on, ends };
    enum class Kind { load, answer };
    struct Outstanding {
        JobId id;
        Kind kind;
        QString path;  // of a load
    };
    void start();
    // A signal of the worker's, received on this thread, becomes one of ours.
    template <class Value>
    void passOn(void (EngineWorker::*from)(const Value&), void (EngineThread::*to)(const Value&),
                Job job);
    template <class... Args>
    JobId ask(Kind kind, const QString& path, void (EngineWorker::*slot)(JobId, Args...),
              const std::decay_t<Args>&... args);
    void jobEnded();
    bool oldestIsCancelled() const;
    void cancelAgain();
    void leaveBehind(Device* gpu);

    DeviceFinder finder_;
    QThread* thread_ = nullptr;
    EngineWorker* worker_ = nullptr;
    int generation_ = 0;  // of the worker: what one that was left behind still tells is not heard
    bool left_behind_ = false;
    PathChoice path_;
    QTimer cancel_again_;
    QElapsedTimer since_cancel_;
    JobId last_job_ = 0;
    JobId last_cancelled_ = 0;
    QQueue<Outstanding> outstanding_;  // jobs end in order
};

}  // namespace lockstep
