// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/engine_worker.h"

#include <QDateTime>
#include <QDir>
#include <QFileInfo>
#include <QThread>
#include <algorithm>

#include "core/model/memory_fit.h"
#include "ui/chat_messages.h"

namespace lockstep {
namespace {

constexpr qint64 tell_every_ms = 40;

LoadOptions loadOptions(const EngineOptions& options) {
    LoadOptions load;
    load.dtype = options.dtype;
    if (options.context > 0) load.context = options.context;
    return load;
}

Engine::Options runOptions(const EngineOptions& options) {
    Engine::Options run;
    run.threads = options.threads;
    run.context = options.context;
    return run;
}

GenerateRequest generateRequest(const AnswerRequest& request) {
    GenerateRequest generate;
    generate.messages = chatMessages(request.conversation);
    generate.sampling = request.sampling;
    for (const QString& stop : request.stop_strings)
        generate.stop_strings.push_back(stop.toStdString());
    generate.max_tokens = request.max_tokens;
    return generate;
}

AnswerStats answerStats(const GenerateResult& result) {
    AnswerStats stats;
    stats.tokens = int(result.timings.output_tokens);
    stats.firstTokenSeconds = result.timings.first_token_seconds;
    if (stats.tokens > 1 && result.timings.decode_seconds > 0)
        stats.tokensPerSecond = double(stats.tokens - 1) / result.timings.decode_seconds;
    stats.path = QString::fromStdString(result.path);
    const auto reason = stop_reason_name(result.stop_reason);
    stats.stopReason = QString::fromUtf8(reason.data(), qsizetype(reason.size()));
    return stats;
}

QString stampOf(const QString& path) {
    const QFileInfo info(path);
    QFileInfoList files{info};
    if (info.isDir()) files = QDir(path).entryInfoList(QDir::Files, QDir::Name);
    qint64 bytes = 0, changed = 0;
    for (const QFileInfo& file : files) {
        bytes += file.size();
        changed = std::max(changed, file.lastModified().toMSecsSinceEpoch());
    }
    return QStringLiteral("%1@%2").arg(bytes).arg(changed);
}

QString toQString(std::string_view text) {
    return QString::fromUtf8(text.data(), qsizetype(text.size()));
}

}  // namespace

EngineWorker::EngineWorker(DeviceFinder finder) : finder_(std::move(finder)) {}

void EngineWorker::cancel(JobId last) {
    const std::scoped_lock lock(mutex_);
    cancelled_ = std::max(cancelled_.load(), last);
    if (running_ != 0 && running_ <= last) engine_.cancel();
}

bool EngineWorker::begin(JobId job) {
    const std::scoped_lock lock(mutex_);
    running_ = job;
    return !cancelled(job);
}

void EngineWorker::end() {
    const std::scoped_lock lock(mutex_);
    running_ = 0;
}

void EngineWorker::findDevices() {
    FoundDevices found;
    const auto gpus = finder_.gpus();
    if (!gpus) {
        found.problem = QString::fromStdString(gpus.error().message);
    } else {
        for (const GpuInfo& gpu : *gpus)
            found.gpus.append({QStringLiteral("cuda:%1").arg(found.gpus.size()),
                               QString::fromStdString(gpu.name)});
    }
    Q_EMIT devicesFound(found);
}

void EngineWorker::useGpu(Device* device) {
    gpu_in_use_ = device && device->kind() != DeviceKind::cpu ? device : nullptr;
}

void EngineWorker::load(JobId job, const QString& path, const EngineOptions& options) {
    LoadStep step;
    step.job = job;
    step.path = path;
    since_told_.invalidate();
    Status status;
    if (!begin(job)) status = fail(ErrorKind::cancelled, "loading was stopped");
    LoadOptions load = loadOptions(options);
    if (status) {
        auto chosen = choose_device(options.device.toStdString(), finder_);
        if (chosen) {
            load.device = chosen->device;
            no_gpu_ = QString::fromStdString(chosen->no_gpu);
        } else {
            status = tl::unexpected<Error>(chosen.error());
        }
    }
    if (status) {
        useGpu(load.device);
        status = loadOn(&step, load, options);
    }
    useGpu(nullptr);
    end();
    if (!status) {
        LoadFailure failure{job, path};
        if (status.error().kind == ErrorKind::out_of_memory) {
            if (const auto fit = fit_memory(path.toStdString(), load); fit && !fit->fits()) {
                failure.shorter_context = fit->shorter_context;
                failure.as_bf16 = fit->as_bf16;
                failure.on_cpu = fit->on_cpu;
            }
        }
        return tellLoadFailed(failure, status.error());
    }
    model_ = {};
    model_.path = path;
    model_.file_stamp = stampOf(path);
    model_.memory = step.memory_needed;
    tellLoaded(job, options);
}

Status EngineWorker::loadOn(LoadStep* step, LoadOptions load, const EngineOptions& options) {
    const std::filesystem::path file(step->path.toStdString());
    const auto estimate = estimate_memory(file, load);
    step->memory_needed = estimate ? qint64(estimate->total()) : 0;
    Q_EMIT loadProgressed(*step);
    load.progress = [this, step](const LoadProgress& progress) {
        return tellLoadProgress(step, progress);
    };
    return engine_.load(file, std::move(load), runOptions(options));
}

void EngineWorker::configure(JobId job, const EngineOptions& options) {
    Status status;
    if (!begin(job)) status = fail(ErrorKind::cancelled, "the change was stopped");
    if (status && engine_.model()) useGpu(&device_of(*engine_.model()));
    if (status) status = engine_.configure(runOptions(options));
    useGpu(nullptr);
    end();
    if (!status) return tellLoadFailed({job, model_.path}, status.error());
    tellLoaded(job, options);
}

bool EngineWorker::tellLoadProgress(LoadStep* step, const LoadProgress& progress) {
    if (since_told_.isValid() && since_told_.elapsed() < tell_every_ms)
        return !cancelled(step->job);
    since_told_.start();
    step->what = QString::fromStdString(progress.what);
    step->done = progress.done;
    step->total = progress.total;
    Q_EMIT loadProgressed(*step);
    return !cancelled(step->job);
}

void EngineWorker::tellLoaded(JobId job, const EngineOptions& options) {
    const auto model = engine_.model();
    if (!model) return tellLoadFailed({job, {}}, {ErrorKind::invalid_argument, "no model is open"});
    model_.job = job;
    model_.name = QString::fromStdString(model->name);
    model_.format = QString::fromStdString(model->source_format);
    model_.dtype = toQString(dtype_info(model->dtype).name);
    model_.device = QString::fromStdString(device_of(*model).name());
    model_.on_gpu = device_of(*model).kind() != DeviceKind::cpu;
    model_.no_gpu = no_gpu_;
    model_.template_problem = QString::fromStdString(model->template_problem);
    model_.threads = options.threads > 0 ? options.threads : QThread::idealThreadCount();
    model_.context = engine_.context();
    model_.defaults = model->generation_defaults;
    model_.model = model;
    Q_EMIT loaded(model_);
}

void EngineWorker::tellLoadFailed(LoadFailure failure, const Error& error) {
    failure.message = QString::fromStdString(error.message);
    failure.kind = error.kind;
    failure.model_kept = engine_.model() != nullptr;
    Q_EMIT loadFailed(failure);
}

void EngineWorker::answer(JobId job, const AnswerRequest& request) {
    batch_ = {};
    batch_.job = job;
    first_token_seconds_ = 0;
    since_told_.invalidate();
    if (!begin(job)) {
        end();
        AnswerStats nothing;
        nothing.stopReason = toQString(stop_reason_name(StopReason::cancelled));
        return Q_EMIT answerFinished({job, nothing, qint64(engine_.context_used())});
    }
    if (engine_.model()) useGpu(&device_of(*engine_.model()));
    const auto result = engine_.generate(generateRequest(request),
                                         [this](const TokenEvent& event) { return take(event); });
    useGpu(nullptr);
    end();
    if (!batch_.text.isEmpty()) tellTokens();
    if (!result)
        return Q_EMIT answerFailed(
            {job, QString::fromStdString(result.error().message), result.error().kind});
    Q_EMIT answerFinished({job, answerStats(*result), qint64(engine_.context_used())});
}

bool EngineWorker::take(const TokenEvent& event) {
    if (batch_.tokens == 0) first_token_seconds_ = event.seconds;
    batch_.text += QString::fromStdString(event.text);
    batch_.tokens = event.index + 1;
    const double decoding = event.seconds - first_token_seconds_;
    batch_.tokens_per_second = decoding > 0 ? double(event.index) / decoding : 0;
    if (!since_told_.isValid() || since_told_.elapsed() >= tell_every_ms) tellTokens();
    return !cancelled(batch_.job);
}

void EngineWorker::tellTokens() {
    since_told_.start();
    batch_.context_used = engine_.context_used();
    Q_EMIT tokensArrived(batch_);
    batch_.text.clear();
}

}  // namespace lockstep
