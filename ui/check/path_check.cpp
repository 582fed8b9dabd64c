// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/check/path_check.h"

#include <algorithm>

#include "ui/inspector/inspection_thread.h"

namespace lockstep {
namespace {

constexpr int decode_steps = 2;
// One row, and a few more than whole tiles of them.
constexpr int prompt_lengths[] = {1, 17, 33};

// Most is to be said of what has diverged, least of what is fine.
int weight(const CheckedPath& checked, const PathChoice& choice) {
    switch (checked.state) {
        case CheckedPath::State::diverges:
            return checked.firstParted(choice) ? 4 : 1;
        case CheckedPath::State::checking:
            return 3;
        case CheckedPath::State::failed:
            return 2;
        case CheckedPath::State::matches:
            return 1;
        case CheckedPath::State::unknown:
            return 0;
    }
    return 0;
}

}  // namespace

PathCheck::PathCheck(SettingsStore* store, std::optional<FaultSpec> planted, QObject* parent)
    : QObject(parent),
      kept_(store),
      planted_(std::move(planted)),
      thread_(new InspectionThread(this)) {
    connect(thread_, &InspectionThread::finished, this, &PathCheck::take);
    connect(thread_, &InspectionThread::failed, this, [this](const FailedInspection& failure) {
        forgetRunning(failure.id, failure.message);
    });
}

void PathCheck::setModel(const LoadedModel& model) {
    const bool same = model.path == model_.path && model.file_stamp == model_.file_stamp &&
                      model.dtype == model_.dtype;
    model_ = model;
    if (same) return checkWhatIsUnknown();  // other threads, another context
    cancel();
    known_.clear();
    runs_.clear();
    checkWhatIsUnknown();
    Q_EMIT changed();
}

void PathCheck::setChoice(const PathChoice& choice) {
    if (choice == choice_) return;
    choice_ = choice;
    checkWhatIsUnknown();
    Q_EMIT changed();
}

void PathCheck::setBusy(bool busy) {
    thread_->setGivingWay(busy);
}

void PathCheck::cancel() {
    thread_->cancel();
    if (running_ != 0) known_.erase(running_path_);
    running_ = 0;
}

void PathCheck::checkAgain() {
    cancel();
    for (const QString& path : pathsOfChoice()) {
        known_[path] = {};
        known_[path].path = path;
    }
    checkWhatIsUnknown();
    Q_EMIT changed();
}

bool PathCheck::shutDown() {
    return thread_->shutDown();
}

QStringList PathCheck::pathsOfChoice() const {
    QStringList paths;
    for (const std::string& step : choice_.steps) {
        const QString path = QString::fromStdString(step);
        const bool ruler = step == "reference" || step == "truth";
        if (!ruler && !paths.contains(path)) paths.append(path);
    }
    return paths;
}

const CheckedPath& PathCheck::known(const QString& path) const {
    static const CheckedPath nothing;
    const auto found = known_.find(path);
    return found == known_.end() ? nothing : found->second;
}

void PathCheck::checkWhatIsUnknown() {
    if (model_.path.isEmpty()) return;
    for (const QString& path : pathsOfChoice()) {
        if (known_.count(path) == 0) {
            if (const auto earlier = kept_.find(model_, path)) known_[path] = *earlier;
        }
        if (running_ != 0 || known(path).state != CheckedPath::State::unknown) continue;
        running_ = thread_->inspect(requestFor(path));
        running_path_ = path;
        known_[path] = {path, CheckedPath::State::checking, {}, {}};
    }
}

InspectionRequest PathCheck::requestFor(const QString& path) const {
    InspectionRequest request;
    request.model = model_.model;
    for (const int tokens : prompt_lengths) request.prompts.push_back(SamplePrompt{tokens});
    request.decode_steps = decode_steps;
    request.candidate.text = path.toStdString();
    if (path == QLatin1String("fused")) request.candidate.fault = planted_;
    request.gives_way = true;
    return request;
}

void PathCheck::take(const FinishedInspection& run) {
    if (run.id != running_) return;  // of another model, or asked for again
    running_ = 0;
    const CheckedPath checked = checkedPath(running_path_, run.inspection->comparison);
    known_[running_path_] = checked;
    runs_[running_path_] = run;
    kept_.keep(model_, checked);
    checkWhatIsUnknown();
    Q_EMIT changed();
}

void PathCheck::forgetRunning(InspectionId id, const QString& why) {
    if (id != running_) return;
    running_ = 0;
    known_[running_path_] = {running_path_, CheckedPath::State::failed, {}, why};
    checkWhatIsUnknown();
    Q_EMIT changed();
}

PathChoice PathCheck::inUse() const {
    for (const QString& path : pathsOfChoice()) {
        if (known(path).firstParted(choice_) && !kept_.isOverruled(model_, path))
            return PathChoice("reference");
    }
    return choice_;
}

void PathCheck::useAnyway(bool anyway) {
    for (const QString& path : pathsOfChoice()) {
        if (known(path).firstParted(choice_)) kept_.setOverruled(model_, path, anyway);
    }
    Q_EMIT changed();
}

CheckedPath PathCheck::result() const {
    CheckedPath most;
    for (const QString& path : pathsOfChoice()) {
        if (weight(known(path), choice_) > weight(most, choice_)) most = known(path);
    }
    return most;
}

QString PathCheck::summary() const {
    const CheckedPath most = result();
    const PartedStep* parted = most.firstParted(choice_);
    switch (most.state) {
        case CheckedPath::State::unknown:
            return {};
        case CheckedPath::State::checking:
            return tr("checking %1 …").arg(most.path);
        case CheckedPath::State::failed:
            return tr("%1 not checked").arg(most.path);
        case CheckedPath::State::matches:
        case CheckedPath::State::diverges:
            break;
    }
    return parted ? tr("%1 diverges: %2").arg(most.path, parted->where)
                  : tr("%1 matches").arg(most.path);
}

FinishedInspection PathCheck::lastRun() const {
    const QString path = result().path;
    if (const auto run = runs_.find(path); run != runs_.end()) return run->second;
    FinishedInspection run;
    run.request = requestFor(path.isEmpty() ? QStringLiteral("fused") : path);
    run.request.gives_way = false;
    return run;
}

}  // namespace lockstep
