// SPDX-License-Identifier: GPL-3.0-or-later
// Inspections of a tiny model: real ones, not values that somebody made up.
#pragma once

#include <QTemporaryDir>
#include <QTest>
#include <memory>

#include "core/inspect/candidate.h"
#include "core/inspect/inspection.h"
#include "core/model/model_loader.h"
#include "tests/support/tiny_model.h"
#include "ui/inspector/inspection_run.h"

namespace lockstep::test {

// A Qwen2 with biases and 7 query heads a key head.
inline std::shared_ptr<const Model> tinyModel() {
    static const std::shared_ptr<const Model> model = [] {
        const auto recipes = read_tiny_recipes();
        TinyRecipe wanted = byte_recipe();
        for (const TinyRecipe& recipe : *recipes)
            if (recipe.name == "qwen2-gqa7-tied") wanted = recipe;
        return make_tiny_model(wanted, DType::bf16);
    }();
    return model;
}

// One that can be asked in words; null where it could not be written.
inline std::shared_ptr<const Model> tinyModelWithTokenizer() {
    static const QTemporaryDir folder;
    const std::filesystem::path path = folder.filePath(QStringLiteral("tiny")).toStdString();
    if (!write_tiny_model(byte_recipe(), path)) return nullptr;
    const auto loaded = load_model(path, {});
    return loaded ? *loaded : nullptr;
}

inline std::vector<int32_t> someTokens(int count) {
    std::vector<int32_t> ids;
    for (int i = 0; i < count; ++i)
        ids.push_back(int32_t((i * 37 + 11) % tinyModel()->config.vocab_size));
    return ids;
}

inline Result<CompareRequest> compareRequest(const CandidateSpec& candidate, int tokens,
                                             int decode_steps) {
    CompareRequest request;
    request.model = tinyModel();
    request.threads = 1;
    request.prompts = {someTokens(tokens)};
    request.decode_steps = decode_steps;
    LOCKSTEP_ASSIGN(Candidate opened, open_candidate(candidate, DeviceKind::cpu, request.model));
    request.candidate = opened.path;
    request.candidate.name = opened.name;
    request.plant = opened.plant;
    request.reference = request.floor = *find_kernel_path(DeviceKind::cpu, "reference");
    request.truth = *find_kernel_path(DeviceKind::cpu, "truth");
    return request;
}

// fault: as in --inject, "k_bias_dropped@layer=1"; empty: none.
inline SharedRun sampleRun(const std::string& fault, int tokens = 6, int decode_steps = 1) {
    CandidateSpec candidate;
    if (!fault.empty())
        candidate.fault = *parse_fault(fault, int(tinyModel()->config.num_hidden_layers));
    const auto request = compareRequest(candidate, tokens, decode_steps);
    if (!request) qFatal("%s", request.error().message.c_str());
    auto found = inspect(*request);
    if (!found) qFatal("%s", found.error().message.c_str());
    auto run = std::make_shared<InspectionRun>();
    run->number = 1;
    run->when = QDateTime::currentDateTime();
    run->prompt = QStringLiteral("some tokens");
    run->result.request.model = tinyModel();
    run->result.request.prompts = {someTokens(tokens)};
    run->result.request.decode_steps = decode_steps;
    run->result.request.candidate = candidate;
    run->result.texts = {"some tokens"};
    run->result.inspection = std::make_shared<const Inspection>(std::move(*found));
    return run;
}

}  // namespace lockstep::test
