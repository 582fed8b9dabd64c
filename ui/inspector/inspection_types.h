// SPDX-License-Identifier: GPL-3.0-or-later
// The values that cross the thread boundary between the window and the inspector's worker.
#pragma once

#include <QMetaType>
#include <QString>
#include <QVector>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/inspect/candidate.h"
#include "core/inspect/inspection.h"
#include "core/model/model.h"
#include "ui/chat/chat_types.h"
#include "ui/hand_over.h"

namespace lockstep {

// Counts what was asked of the inspector: later requests have higher numbers.
using InspectionId = quint64;

// So many tokens of a text of ours, whatever the tokenizer.
struct SamplePrompt {
    int tokens = 1;
};

// Raw text, or a conversation that goes through the model's chat template, or token ids as they
// are, or a sample.
using InspectionPrompt =
    std::variant<QString, QVector<ChatEntry>, std::vector<int32_t>, SamplePrompt>;

struct InspectionRequest {
    // LoadedModel::model of the model to look at. Weak, here and in whatever is kept of a run: the
    // window must not be the one who frees a model.
    std::weak_ptr<const Model> model;
    QVector<InspectionPrompt> prompts;
    int decode_steps = 0;
    CandidateSpec candidate;              // "fused" where nothing else is said
    std::string reference = "reference";  // a registered path's name; "truth" is possible
    // Waits while the inspector is told to give way (InspectionThread::setGivingWay).
    bool gives_way = false;
    // A user's kernels run in a child process; those that match are then opened in this one.
    bool open_passed_kernel = false;
};

struct InspectionProgress {
    InspectionId id = 0;
    QString what;         // "prompt 2 of 3, layer 7, gate_up"
    double fraction = 0;  // 0 to 1
    HandOver hand_over = {};
};

struct FinishedInspection {
    InspectionId id = 0;
    InspectionRequest request;
    std::vector<std::string> texts;  // the prompts as the model saw them
    // The weights in its step are the model's: lock request.model before they are read.
    std::shared_ptr<const Inspection> inspection;
    // In this process, as fast as our own. Null unless it was asked for and matches.
    std::shared_ptr<const UserKernel> kernel;
    HandOver hand_over = {};
};

// One step of a comparison, run again as candidate, reference and truth.
struct ReopenedStep {
    InspectionId id = 0;
    InspectionRequest request;
    // The weights in it are the model's: lock request.model before they are read.
    std::shared_ptr<const StepCase> step;
    HandOver hand_over = {};
};

struct FailedInspection {
    InspectionId id = 0;
    InspectionRequest request;
    QString message;
    HandOver hand_over = {};
};

struct CancelledInspection {
    InspectionId id = 0;
    InspectionRequest request;
    HandOver hand_over = {};
};

}  // namespace lockstep

Q_DECLARE_METATYPE(lockstep::InspectionRequest)
Q_DECLARE_METATYPE(lockstep::InspectionProgress)
Q_DECLARE_METATYPE(lockstep::FinishedInspection)
Q_DECLARE_METATYPE(lockstep::ReopenedStep)
Q_DECLARE_METATYPE(lockstep::FailedInspection)
Q_DECLARE_METATYPE(lockstep::CancelledInspection)
