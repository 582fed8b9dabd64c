// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/inspection_worker.h"

#include <sys/resource.h>

#include <algorithm>

#include "core/inspect/trace.h"
#include "core/run/engine.h"
#include "ui/chat_messages.h"

namespace lockstep {
namespace {

constexpr qint64 tell_every_ms = 40;
// While an answer is being made, it has nine tenths of the processor. Not the nicest: on a busy
// machine a run of two seconds would then take minutes. A thread's own on Linux, and inherited by
// the pool's threads that it makes.
constexpr int niceness = 10;

Result<PreparedPrompt> prepare(const Model& model, const QString& text) {
    EncodeOptions encode;
    encode.add_special = true;
    PreparedPrompt prompt;
    prompt.text = text.toStdString();
    prompt.ids = model.tokenizer->encode(prompt.text, encode);
    return prompt;
}

Result<PreparedPrompt> prepare(const Model& model, const QVector<ChatEntry>& conversation) {
    return prepare_chat(model, chatMessages(conversation));
}

Result<PreparedPrompt> prepare(const Model& model, const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) {
        if (id < 0 || id >= model.config.vocab_size) {
            return fail(ErrorKind::invalid_argument, "token " + std::to_string(id) +
                                                         " is not one of the model's " +
                                                         std::to_string(model.config.vocab_size));
        }
    }
    return PreparedPrompt{model.tokenizer->decode(ids), ids};
}

// Several scripts, numbers and code, so that tokens are of many kinds.
constexpr const char* sample_text =
    "The quick brown fox counts 1, 2, 3.14159 and 65536.\n"
    "for (int i = 0; i < n; ++i) sum += row[i] * weight[i];\n"
    "Die größte Tür steht offen; \u65e5\u672c\u8a9e, \u0440\u0443\u0441\u0441\u043a\u0438\u0439, "
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \U0001f680.\n";

Result<PreparedPrompt> prepare(const Model& model, const SamplePrompt& sample) {
    const auto wanted = static_cast<size_t>(std::max(1, sample.tokens));
    QString text;
    Result<PreparedPrompt> prompt;
    do {
        text += QString::fromUtf8(sample_text);
        prompt = prepare(model, text);
    } while (prompt && prompt->ids.size() < wanted && text.size() < 1 << 20);
    if (!prompt) return prompt;
    prompt->ids.resize(std::min(wanted, prompt->ids.size()));
    prompt->text = model.tokenizer->decode(prompt->ids);
    return prompt;
}

Result<KernelPath> registered_path(const Model& model, const std::string& name) {
    if (const KernelPath* path = find_kernel_path(device_of(model).kind(), name)) return *path;
    return fail(ErrorKind::invalid_argument, "there is no path named \"" + name + "\"");
}

}  // namespace

void InspectionWorker::lowerPriority() {
    setpriority(PRIO_PROCESS, 0, niceness);  // where that is refused, it is not a reason to stop
}

void InspectionWorker::cancel(InspectionId last) {
    const std::scoped_lock lock(mutex_);
    cancelled_ = std::max(cancelled_, last);
    if (running_ != 0 && running_ <= last) cancel_ = true;
    changed_.notify_all();
}

void InspectionWorker::setGivingWay(bool on) {
    const std::scoped_lock lock(mutex_);
    giving_way_ = on;
    changed_.notify_all();
}

bool InspectionWorker::begin(InspectionId id) {
    const std::scoped_lock lock(mutex_);
    running_ = id;
    cancel_ = id <= cancelled_;
    return !cancel_;
}

void InspectionWorker::end() {
    const std::scoped_lock lock(mutex_);
    running_ = 0;
}

void InspectionWorker::waitWhileGivingWay() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !giving_way_ || cancel_; });
}

void InspectionWorker::run(InspectionId id, const std::shared_ptr<const Model>& model,
                           const InspectionRequest& request) {
    progress_ = {};
    progress_.id = id;
    gives_way_ = request.gives_way;
    since_told_.invalidate();
    if (!begin(id)) {
        end();
        return Q_EMIT cancelled({id, request});
    }
    Result<FinishedInspection> result = inspectPrompts(model, request);
    end();
    if (!result) return tellFailed(id, request, result.error());
    result->id = id;
    Q_EMIT finished(*result);
}

Result<FinishedInspection> InspectionWorker::inspectPrompts(
    const std::shared_ptr<const Model>& model, const InspectionRequest& request) {
    LOCKSTEP_ASSIGN(Prepared prepared, prepareRequest(model, request));
    LOCKSTEP_ASSIGN(Inspection inspection, inspect(prepared.compare));
    // Its last figures may be those of a step that ended early.
    if (cancel_) return fail(ErrorKind::cancelled, "the comparison was stopped");
    FinishedInspection run;
    run.request = request;
    run.texts = std::move(prepared.texts);
    const Comparison& found = inspection.comparison;
    const bool matches = !found.diverged() && !found.drift_unexplained;
    if (request.open_passed_kernel && matches && prepared.user_kernel) {
        LOCKSTEP_ASSIGN(UserKernel kernel, open_user_kernel_in_process(*prepared.user_kernel));
        run.kernel = std::make_shared<const UserKernel>(std::move(kernel));
    }
    run.inspection = std::make_shared<const Inspection>(std::move(inspection));
    return run;
}

void InspectionWorker::reopen(InspectionId id, const std::shared_ptr<const Model>& model,
                              const InspectionRequest& request, const Divergence& where) {
    progress_ = {};
    progress_.id = id;
    gives_way_ = false;  // somebody looks and waits
    since_told_.invalidate();
    if (!begin(id)) {
        end();
        return Q_EMIT cancelled({id, request});
    }
    Result<StepCase> result =
        prepareRequest(model, request).and_then([&](const Prepared& prepared) {
            return reopen_step(prepared.compare, where);
        });
    end();
    if (!result) return tellFailed(id, request, result.error());
    Q_EMIT reopened({id, request, std::make_shared<const StepCase>(std::move(*result))});
}

void InspectionWorker::tellFailed(InspectionId id, const InspectionRequest& request,
                                  const Error& error) {
    if (error.kind == ErrorKind::cancelled) return Q_EMIT cancelled({id, request});
    Q_EMIT failed({id, request, QString::fromStdString(error.message)});
}

Result<InspectionWorker::Prepared> InspectionWorker::prepareRequest(
    const std::shared_ptr<const Model>& model, const InspectionRequest& request) {
    if (gives_way_) waitWhileGivingWay();
    if (!model)
        return fail(ErrorKind::invalid_argument, "the model is not open any more: open it again");
    if (request.prompts.isEmpty())
        return fail(ErrorKind::invalid_argument, "there is no prompt to compare on");
    Prepared result;
    CompareRequest& compare = result.compare;
    compare.model = model;
    for (const InspectionPrompt& prompt : request.prompts) {
        LOCKSTEP_ASSIGN(
            PreparedPrompt prepared,
            std::visit([&](const auto& value) { return prepare(*model, value); }, prompt));
        compare.prompts.push_back(std::move(prepared.ids));
        result.texts.push_back(std::move(prepared.text));
    }
    compare.decode_steps = request.decode_steps;
    CandidateSpec spec = request.candidate;
    spec.isolation.cancelled = [this] { return cancel_.load(); };  // even in an endless loop
    LOCKSTEP_ASSIGN(Candidate candidate, open_candidate(spec, device_of(*model).kind(), model));
    compare.candidate = std::move(candidate.path);
    compare.candidate.name = candidate.name;
    compare.trace = candidate.trace;
    compare.plant = std::move(candidate.plant);
    if (compare.trace) {  // it was captured on a prompt of its own
        compare.prompts.clear();
        compare.decode_steps = 0;
        result.texts = {model->tokenizer->decode(compare.trace->prompt_ids(), true)};
    }
    LOCKSTEP_ASSIGN(compare.reference, registered_path(*model, request.reference));
    LOCKSTEP_ASSIGN(compare.truth, registered_path(*model, "truth"));
    LOCKSTEP_ASSIGN(compare.floor,
                    registered_path(*model, compare.reference.f32_activations ? "reference"
                                                                              : request.reference));
    compare.cancel = &cancel_;
    compare.progress = [this](const CompareProgress& progress) { return take(progress); };
    result.user_kernel = std::move(candidate.user_kernel);
    return result;
}

bool InspectionWorker::take(const CompareProgress& progress) {
    if (gives_way_) waitWhileGivingWay();
    if (!since_told_.isValid() || since_told_.elapsed() >= tell_every_ms) {
        since_told_.start();
        progress_.what = QString::fromStdString(progress.what);
        progress_.fraction = progress.fraction;
        Q_EMIT progressed(progress_);
    }
    return !cancel_;
}

}  // namespace lockstep
