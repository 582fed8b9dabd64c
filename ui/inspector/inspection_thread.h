// SPDX-License-Identifier: GPL-3.0-or-later
// The window's end of the inspector: asks and never waits, hears back by signals on the GUI thread.
// It compares while the engine's thread goes on chatting: in sessions of its own, on every core, at
// the lowest priority, so that an answer takes what it needs. Only shutDown() waits, not for long.
#pragma once

#include <QObject>
#include <QThread>

#include "ui/inspector/inspection_types.h"

namespace lockstep {

class InspectionWorker;

class InspectionThread : public QObject {
    Q_OBJECT
  public:
    explicit InspectionThread(QObject* parent = nullptr);
    ~InspectionThread() override;

    // Runs one after the other, in the order of asking. The model lives until the run has ended,
    // whatever becomes of it in the window meanwhile.
    InspectionId inspect(const InspectionRequest& request);
    // Runs the request's prompt again up to a step of it, which need not be the first divergence.
    InspectionId reopen(const InspectionRequest& request, const Divergence& where);
    // Ends everything that was asked so far; it still says how it ended.
    void cancel();
    bool isBusy() const { return outstanding_ > 0; }
    // While on, runs that give way wait (not for a cancel); the others go on.
    void setGivingWay(bool on);

    // Cancels, and waits until the inspector's thread has ended; false where it has not within the
    // time: then nothing that it uses may be torn down.
    bool shutDown(int milliseconds = 10000);

  Q_SIGNALS:
    void progressed(const lockstep::InspectionProgress& progress);  // at most every 40 ms
    // Each inspect() ends in finished, failed or cancelled, each reopen() in reopened, failed or
    // cancelled.
    void finished(const lockstep::FinishedInspection& inspection);
    void reopened(const lockstep::ReopenedStep& step);
    void failed(const lockstep::FailedInspection& failure);
    void cancelled(const lockstep::CancelledInspection& inspection);
    void busyChanged(bool busy);

  private:
    enum class Run { goes_on, ends };
    template <class Value>
    void passOn(void (InspectionWorker::*from)(const Value&),
                void (InspectionThread::*to)(const Value&), Run run);
    void ended();
    template <class Call>
    InspectionId ask(const InspectionRequest& request, const Call& run);

    QThread* thread_;
    InspectionWorker* worker_;
    InspectionId last_ = 0;
    int outstanding_ = 0;
};

}  // namespace lockstep
