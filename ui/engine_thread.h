// SPDX-License-Identifier: GPL-3.0-or-later
// The window's end of the engine: asks and never waits, hears back by signals on the GUI thread.
// Only shutDown() waits, and not for long.
#pragma once

#include <QObject>
#include <QThread>
#include <QTimer>

#include "core/run/path_choice.h"
#include "ui/engine_types.h"

namespace lockstep {

class EngineWorker;

class EngineThread : public QObject {
    Q_OBJECT
  public:
    explicit EngineThread(QObject* parent = nullptr);
    ~EngineThread() override;

    JobId load(const QString& path, const EngineOptions& options);
    JobId configure(const EngineOptions& options);
    JobId answer(const AnswerRequest& request);
    void forgetConversation();
    // Ends everything that was asked so far; it still says how it ended.
    void cancel();
    // Live, also in the middle of an answer.
    Status setPath(const PathChoice& choice);
    bool isBusy() const { return outstanding_ > 0; }

    // Cancels, and waits until the engine's thread has ended; false where it has not within the
    // time: then nothing that it uses may be torn down.
    bool shutDown(int milliseconds = 10000);

  Q_SIGNALS:
    void loadProgressed(const lockstep::LoadStep& step);
    void loaded(const lockstep::LoadedModel& model);
    void loadFailed(const lockstep::LoadFailure& failure);
    void tokensArrived(const lockstep::TokenBatch& batch);
    void answerFinished(const lockstep::FinishedAnswer& answer);
    void answerFailed(const lockstep::FailedAnswer& failure);

  private:
    enum class Job { goes_on, ends };
    // A signal of the worker's, received on this thread, becomes one of ours.
    template <class Value>
    void passOn(void (EngineWorker::*from)(const Value&), void (EngineThread::*to)(const Value&),
                Job job);
    template <class... Args>
    JobId ask(void (EngineWorker::*slot)(JobId, Args...), const std::decay_t<Args>&... args);
    void jobEnded();

    QThread* thread_;
    EngineWorker* worker_;
    QTimer cancel_again_;
    JobId last_job_ = 0;
    JobId last_cancelled_ = 0;
    int outstanding_ = 0;
};

}  // namespace lockstep
