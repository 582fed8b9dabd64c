// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/check/path_check.h"

#include <algorithm>

#include "ui/inspector/inspection_thread.h"

namespace lockstep {
namespace {

constexpr int decode_steps = 2;
// One row, and a few more than whole tiles of them.
constexpr int prompt_lengths[] = {1, 17, 33};

using State = CheckedPath::State;

// Most is to be said of what has diverged, least of what is fine.
int weight(const CheckedPath& checked, const PathChoice& choice) {
    switch (checked.state) {
        case State::diverges:
            return checked.partsIn(choice).isEmpty() ? 1 : 4;
        case State::checking:
            return 3;
        case State::failed:
            return 2;
        case State::matches:
            return 1;
        case State::unknown:
            return 0;
    }
    return 0;
}

// The reference is what others are held against, and truth what it is held against itself.
QStringList pathsOf(const PathChoice& choice) {
    QStringList paths;
    for (const std::string& step : choice.steps) {
        const QString path = QString::fromStdString(step);
        const bool ruler = step == "reference" || step == "truth";
        if (!ruler && !paths.contains(path)) paths.append(path);
    }
    return paths;
}

}  // namespace

QString shownPath(const QString& path) {
    return path.section(QLatin1Char('/'), -1);
}

PathCheck::PathCheck(SettingsStore* store, PathCheckOptions options, QObject* parent)
    : QObject(parent),
      kept_(store),
      options_(std::move(options)),
      thread_(new InspectionThread(this)) {
    connect(thread_, &InspectionThread::finished, this, &PathCheck::take);
    connect(thread_, &InspectionThread::failed, this, &PathCheck::takeFailure);
}

void PathCheck::setModel(const LoadedModel& model) {
    const bool same = model.path == model_.path && model.file_stamp == model_.file_stamp &&
                      model.dtype == model_.dtype && model.device == model_.device;
    model_ = model;
    if (same) return;  // other threads, another context
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

void PathCheck::setKernel(const QString& file) {
    if (file == kernel_) return;
    if (running_ != 0 && running_path_ == kernel_) cancel();
    known_.erase(kernel_);
    kernel_ = file;
    known_.erase(kernel_);  // built again, maybe, since it was last loaded
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
    for (const QString& path : pathsToCheck()) known_[path] = {path, State::unknown, {}, false, {}};
    checkWhatIsUnknown();
    Q_EMIT changed();
}

bool PathCheck::shutDown() {
    return thread_->shutDown();
}

PathChoice PathCheck::settled() const {
    PathChoice settled = choice_;
    if (kernel_.isEmpty() || known(kernel_).state == State::matches) return settled;
    std::replace(settled.steps.begin(), settled.steps.end(), kernel_.toStdString(),
                 std::string("fused"));
    return settled;
}

QStringList PathCheck::pathsToCheck() const {
    QStringList paths = pathsOf(settled());
    if (!kernel_.isEmpty() && !paths.contains(kernel_)) paths.append(kernel_);
    return paths;
}

const CheckedPath& PathCheck::known(const QString& path) const {
    static const CheckedPath nothing;
    const auto found = known_.find(path);
    return found == known_.end() ? nothing : found->second;
}

void PathCheck::checkWhatIsUnknown() {
    if (model_.path.isEmpty()) return;
    for (const QString& path : pathsToCheck()) {
        if (known_.count(path) == 0 && path != kernel_) {
            if (const auto earlier = kept_.find(model_, path)) known_[path] = *earlier;
        }
        if (running_ != 0 || known(path).state != State::unknown) continue;
        running_ = thread_->inspect(requestFor(path));
        running_path_ = path;
        known_[path] = {path, State::checking, {}, false, {}};
    }
}

InspectionRequest PathCheck::requestFor(const QString& path) const {
    InspectionRequest request;
    request.model = model_.model;
    for (const int tokens : prompt_lengths) request.prompts.push_back(SamplePrompt{tokens});
    request.decode_steps = decode_steps;
    request.candidate.text = path.toStdString();
    request.candidate.isolation = options_.isolation;
    if (path == QLatin1String("fused")) request.candidate.fault = options_.planted;
    request.gives_way = true;
    request.open_passed_kernel = true;
    return request;
}

void PathCheck::take(const FinishedInspection& run) {
    if (run.id != running_) return;  // of another model, or asked for again
    const CheckedPath checked = checkedPath(running_path_, run.inspection->comparison);
    runs_[running_path_] = run;
    runs_[running_path_].kernel = nullptr;  // held by who uses it
    if (running_path_ != kernel_)
        kept_.keep(model_, checked);
    else
        passed_ = run.kernel;
    endCheck(checked);
}

void PathCheck::takeFailure(const FailedInspection& failure) {
    if (failure.id == running_)
        endCheck({running_path_, State::failed, {}, false, failure.message});
}

void PathCheck::endCheck(const CheckedPath& checked) {
    running_ = 0;
    known_[checked.path] = checked;
    checkWhatIsUnknown();
    Q_EMIT changed();
    if (checked.path == kernel_) Q_EMIT kernelChecked();
}

bool PathCheck::fallsBack() const {
    const PathChoice settled = this->settled();
    for (const QString& path : pathsOf(settled)) {
        if (!known(path).partsIn(settled).isEmpty() && !kept_.isOverruled(model_, path))
            return true;
    }
    return false;
}

PathChoice PathCheck::inUse() const {
    if (fallsBack()) return PathChoice("reference");
    PathChoice used = settled();
    if (!passed_ || known(kernel_).state != State::matches) return used;
    used.own = std::shared_ptr<const KernelPath>(passed_, &passed_->path);
    std::replace(used.steps.begin(), used.steps.end(), kernel_.toStdString(), used.own->name);
    return used;
}

void PathCheck::useAnyway(bool anyway) {
    const PathChoice settled = this->settled();
    for (const QString& path : pathsOf(settled)) {
        if (!known(path).partsIn(settled).isEmpty()) kept_.setOverruled(model_, path, anyway);
    }
    Q_EMIT changed();
}

CheckedPath PathCheck::result() const {
    const PathChoice settled = this->settled();
    CheckedPath most;
    for (const QString& path : pathsOf(settled)) {
        if (weight(known(path), settled) > weight(most, settled)) most = known(path);
    }
    const bool kernel_only = known(kernel_).state == State::checking;
    return kernel_only && weight(most, settled) < 3 ? known(kernel_) : most;
}

QString PathCheck::summary() const {
    const CheckedPath most = result();
    const QString path = shownPath(most.path);
    const QString where = most.partsIn(settled());
    switch (most.state) {
        case State::unknown:
            return {};
        case State::checking:
            return tr("checking %1 …").arg(path);
        case State::failed:
            return tr("%1 not checked").arg(path);
        case State::matches:
        case State::diverges:
            break;
    }
    return where.isEmpty() ? tr("%1 matches").arg(path) : tr("%1 diverges: %2").arg(path, where);
}

FinishedInspection PathCheck::runOf(const QString& path) const {
    FinishedInspection run;
    if (const auto found = runs_.find(path); found != runs_.end())
        run = found->second;
    else
        run.request = requestFor(path.isEmpty() ? QStringLiteral("fused") : path);
    run.request.gives_way = run.request.open_passed_kernel = false;
    return run;
}

}  // namespace lockstep
