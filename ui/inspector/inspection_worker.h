// SPDX-License-Identifier: GPL-3.0-or-later
// The one object that lives on the inspector's thread: it compares paths in sessions of its own, on
// a model that it shares with the engine and that nobody changes. Its slot is called there
// (queued), its signals carry values. Only cancel() and setGivingWay() may be called from another
// thread; neither waits.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "ui/inspector/inspection_types.h"

namespace lockstep {

class InspectionWorker : public QObject {
    Q_OBJECT
  public:
    // Every run up to this one ends within 50 ms, or does not begin.
    void cancel(InspectionId last);
    void setGivingWay(bool on);

    // Each run ends in one of finished, failed and cancelled.
    void run(InspectionId id, const std::shared_ptr<const Model>& model,
             const InspectionRequest& request);
    // Ends in one of reopened, failed and cancelled.
    void reopen(InspectionId id, const std::shared_ptr<const Model>& model,
                const InspectionRequest& request, const Divergence& where);
    // The thread's own: after everything else that wants the processor.
    static void lowerPriority();

  Q_SIGNALS:
    void progressed(const lockstep::InspectionProgress& progress);
    void finished(const lockstep::FinishedInspection& inspection);
    void reopened(const lockstep::ReopenedStep& step);
    void failed(const lockstep::FailedInspection& failure);
    void cancelled(const lockstep::CancelledInspection& inspection);

  private:
    bool begin(InspectionId id);  // false: cancelled before it began
    void end();
    struct Prepared {
        CompareRequest compare;
        std::vector<std::string> texts;  // of the prompts
        std::optional<UserKernel> user_kernel;
    };
    Result<Prepared> prepareRequest(const std::shared_ptr<const Model>& model,
                                    const InspectionRequest& request);
    Result<FinishedInspection> inspectPrompts(const std::shared_ptr<const Model>& model,
                                              const InspectionRequest& request);
    void tellFailed(InspectionId id, const InspectionRequest& request, const Error& error);
    bool take(const CompareProgress& progress);
    void waitWhileGivingWay();

    std::mutex mutex_;
    std::condition_variable changed_;
    InspectionId running_ = 0;
    InspectionId cancelled_ = 0;
    bool giving_way_ = false;
    std::atomic<bool> cancel_ = false;  // the running one

    InspectionProgress progress_;
    bool gives_way_ = false;  // the running one
    QElapsedTimer since_told_;
};

}  // namespace lockstep
