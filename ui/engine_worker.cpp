// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/engine_worker.h"

#include <QDateTime>
#include <QDir>
#include <QFileInfo>
#include <QThread>
#include <algorithm>

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
    for (const ChatEntry& entry : request.conversation)
        generate.messages.push_back({entry.role.toStdString(), entry.content.toStdString()});
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

EngineWorker::EngineWorker() = default;

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

void EngineWorker::load(JobId job, const QString& path, const EngineOptions& options) {
    LoadStep step;
    step.job = job;
    step.path = path;
    since_told_.invalidate();
    Status status;
    if (!begin(job)) status = fail(ErrorKind::cancelled, "loading was stopped");
    LoadOptions load = loadOptions(options);
    const std::filesystem::path file(path.toStdString());
    if (status) {
        const auto estimate = estimate_memory(file, load);
        step.memory_needed = estimate ? qint64(estimate->total()) : 0;
        Q_EMIT loadProgressed(step);
        load.progress = [this, &step](const LoadProgress& progress) {
            return tellLoadProgress(&step, progress);
        };
        status = engine_.load(file, load, runOptions(options));
    }
    end();
    if (!status) return tellLoadFailed(job, path, status.error());
    model_ = {};
    model_.path = path;
    model_.file_stamp = stampOf(path);
    model_.memory = step.memory_needed;
    tellLoaded(job, options);
}

void EngineWorker::configure(JobId job, const EngineOptions& options) {
    Status status;
    if (!begin(job)) status = fail(ErrorKind::cancelled, "the change was stopped");
    if (status) status = engine_.configure(runOptions(options));
    end();
    if (!status) return tellLoadFailed(job, model_.path, status.error());
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
    if (!model) return tellLoadFailed(job, {}, {ErrorKind::invalid_argument, "no model is open"});
    model_.job = job;
    model_.name = QString::fromStdString(model->name);
    model_.format = QString::fromStdString(model->source_format);
    model_.dtype = toQString(dtype_info(model->dtype).name);
    model_.device = QString::fromStdString(device_of(*model).name());
    model_.template_problem = QString::fromStdString(model->template_problem);
    model_.threads = options.threads > 0 ? options.threads : QThread::idealThreadCount();
    model_.context = engine_.context();
    model_.defaults = model->generation_defaults;
    model_.model = model;
    Q_EMIT loaded(model_);
}

void EngineWorker::tellLoadFailed(JobId job, const QString& path, const Error& error) {
    Q_EMIT loadFailed(
        {job, path, QString::fromStdString(error.message), error.kind == ErrorKind::cancelled});
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
    const auto result = engine_.generate(generateRequest(request),
                                         [this](const TokenEvent& event) { return take(event); });
    end();
    if (!batch_.text.isEmpty()) tellTokens();
    if (!result) return Q_EMIT answerFailed({job, QString::fromStdString(result.error().message)});
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
