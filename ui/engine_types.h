// SPDX-License-Identifier: GPL-3.0-or-later
// The values that cross the thread boundary between the window and the engine.
#pragma once

#include <QMetaType>
#include <QString>
#include <QStringList>
#include <QVector>
#include <memory>

#include "core/model/model.h"
#include "core/run/sampler.h"
#include "kernels/dtype.h"
#include "ui/chat/chat_types.h"
#include "ui/hand_over.h"

namespace lockstep {

// Counts what was asked of the engine: later requests have higher numbers.
using JobId = quint64;

struct EngineOptions {
    DType dtype = DType::bf16;
    int threads = 0;     // 0: every core
    qint64 context = 0;  // 0: what the model allows, within reason
    // "auto" (a GPU where one can be used), "cpu", or "cuda:N"
    QString device = QStringLiteral("auto");
    bool operator==(const EngineOptions&) const = default;
};

// The GPUs that can be chosen.
struct FoundDevices {
    struct Gpu {
        QString id;    // as EngineOptions has it: "cuda:0"
        QString name;  // "NVIDIA H200"
        bool operator==(const Gpu&) const = default;
    };
    QVector<Gpu> gpus;
    QString problem;  // why there are none
    HandOver hand_over = {};
};

struct LoadStep {
    JobId job = 0;
    QString path;
    QString what;  // the tensor in hand
    qint64 done = 0;
    qint64 total = 0;          // bytes of weights; 0 while that is not known
    qint64 memory_needed = 0;  // weights, cache and workspace; 0 while that is not known
    HandOver hand_over = {};
};

struct LoadedModel {
    JobId job = 0;
    QString path;        // empty: no model
    QString file_stamp;  // of the file, or all of the folder: sizes and times of the last change
    QString name;
    QString format;  // "GGUF Q4_1"
    QString dtype;   // "bf16"
    QString device;
    bool on_gpu = false;
    QString no_gpu;            // why, where "auto" came to the CPU; or empty
    QString template_problem;  // why the model's own chat template is not used, or empty
    int threads = 0;
    qint64 context = 0;
    qint64 memory = 0;  // estimated, in bytes
    GenerationDefaults defaults;
    // The engine's own, to look into beside the chat. Weak: freeing a model takes a while, and the
    // window must not be who does it.
    std::weak_ptr<const Model> model;
    HandOver hand_over = {};
};

struct LoadFailure {
    JobId job = 0;
    QString path = {};
    QString message = {};
    ErrorKind kind = ErrorKind::internal;
    bool model_kept = true;  // the one that was in use still is
    // Where the device has too little memory, what would fit:
    qint64 shorter_context = 0;  // tokens; 0: no context does
    bool as_bf16 = false;
    bool on_cpu = false;
    HandOver hand_over = {};
};

struct AnswerRequest {
    QVector<ChatEntry> conversation;
    SamplingOptions sampling;
    QStringList stop_strings;
    qint64 max_tokens = 0;  // 0: until the context is full
};

// What came since the last one, at most every 40 ms.
struct TokenBatch {
    JobId job = 0;
    QString text;
    qint64 tokens = 0;             // of the answer so far
    double tokens_per_second = 0;  // since the first token; 0 before the second
    qint64 context_used = 0;
    HandOver hand_over = {};
};

struct FinishedAnswer {
    JobId job = 0;
    AnswerStats stats;
    qint64 context_used = 0;
    HandOver hand_over = {};
};

struct FailedAnswer {
    JobId job = 0;
    QString message;
    ErrorKind kind = ErrorKind::internal;
    HandOver hand_over = {};
};

}  // namespace lockstep

Q_DECLARE_METATYPE(lockstep::EngineOptions)
Q_DECLARE_METATYPE(lockstep::FoundDevices)
Q_DECLARE_METATYPE(lockstep::LoadStep)
Q_DECLARE_METATYPE(lockstep::LoadedModel)
Q_DECLARE_METATYPE(lockstep::LoadFailure)
Q_DECLARE_METATYPE(lockstep::AnswerRequest)
Q_DECLARE_METATYPE(lockstep::TokenBatch)
Q_DECLARE_METATYPE(lockstep::FinishedAnswer)
Q_DECLARE_METATYPE(lockstep::FailedAnswer)
