// SPDX-License-Identifier: GPL-3.0-or-later
// The boundary of its thread: the one object that lives on the engine's thread and owns the engine.
// Its slots are called there (queued), its signals carry values. Only cancel() and setPath() may be
// called from another thread; neither waits for the engine.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <atomic>
#include <mutex>

#include "core/run/engine.h"
#include "kernels/gpu_info.h"
#include "ui/engine_types.h"

namespace lockstep {

class EngineWorker : public QObject {
    Q_OBJECT
  public:
    explicit EngineWorker(DeviceFinder finder = {});

    // Whose answer the running job waits for; null: no GPU's. Any thread may ask.
    Device* gpuInUse() const { return gpu_in_use_; }
    // Every job up to this one ends soon, or does not begin. The engine forgets a cancel that comes
    // just before a job sets out: call again until the job's end is told.
    void cancel(JobId last);
    Status setPath(const PathChoice& choice) { return engine_.set_path(choice); }

  public Q_SLOTS:
    void findDevices();
    // Each job ends in one of its two signals: loaded or loadFailed, answerFinished or
    // answerFailed.
    void load(lockstep::JobId job, const QString& path, const lockstep::EngineOptions& options);
    // Other threads or another context for the model in use; loaded or loadFailed.
    void configure(lockstep::JobId job, const lockstep::EngineOptions& options);
    void answer(lockstep::JobId job, const lockstep::AnswerRequest& request);
    void forgetConversation() { engine_.forget_conversation(); }

  Q_SIGNALS:
    void devicesFound(const lockstep::FoundDevices& devices);
    void loadProgressed(const lockstep::LoadStep& step);
    void loaded(const lockstep::LoadedModel& model);
    void loadFailed(const lockstep::LoadFailure& failure);
    void tokensArrived(const lockstep::TokenBatch& batch);
    void answerFinished(const lockstep::FinishedAnswer& answer);
    void answerFailed(const lockstep::FailedAnswer& failure);

  private:
    bool begin(JobId job);  // false: cancelled before it began
    void end();
    bool cancelled(JobId job) const { return job <= cancelled_.load(); }
    void tellLoaded(JobId job, const EngineOptions& options);
    Status loadOn(LoadStep* step, LoadOptions load, const EngineOptions& options);
    void tellLoadFailed(LoadFailure failure, const Error& error);
    void useGpu(Device* device);
    bool tellLoadProgress(LoadStep* step, const LoadProgress& progress);
    bool take(const TokenEvent& event);
    void tellTokens();

    DeviceFinder finder_;
    std::atomic<Device*> gpu_in_use_ = nullptr;
    QString no_gpu_;
    Engine engine_;
    std::mutex mutex_;  // of running_: cancel() must not hit the job after the one it means
    JobId running_ = 0;
    std::atomic<JobId> cancelled_ = 0;

    LoadedModel model_;
    TokenBatch batch_;  // not told yet
    double first_token_seconds_ = 0;
    QElapsedTimer since_told_;
};

}  // namespace lockstep
