// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/model_loader.h"

#include <new>

#include "core/model/gguf_model.h"
#include "core/model/memory_fit.h"
#include "core/model/model_source.h"
#include "core/model/task_runner.h"
#include "core/model/weight_loader.h"

namespace lockstep {
namespace {

// The tensors' own error comes first: sizes that no tensor has are no question of memory.
Status check_fits(const ModelSource& source, const LoadOptions& options) {
    LOCKSTEP_TRY(check_weights(source.weights, source.config));
    const MemoryFit fit = fit_memory(source.config, options);
    if (fit.fits()) return {};
    return fail(ErrorKind::out_of_memory, source.path.string() + ": " + fit.words());
}

// The text side, made on a thread of its own while the weights are expanded.
struct TextSide {
    Status status;
    std::unique_ptr<const Tokenizer> tokenizer;
    ChatTemplate chat_template;
    std::string template_problem;

    void make(const ModelSource& source) {
        auto made = source.make_tokenizer();
        if (!made) {
            status = within(source.path.string(), std::move(made).error());
            return;
        }
        tokenizer = std::move(*made);
        if (source.chat_template.empty()) {
            template_problem = "the model has no chat template; ChatML is used";
            return;
        }
        auto compiled = ChatTemplate::compile(source.chat_template);
        if (compiled) {
            chat_template = std::move(*compiled);
        } else {
            template_problem = compiled.error().message;
        }
    }
};

Result<std::shared_ptr<const Model>> load(const std::filesystem::path& path,
                                          const LoadOptions& options) {
    if (!is_floating(options.dtype)) {
        return fail(ErrorKind::invalid_argument, "weights can be loaded as bf16, f16 or f32, not " +
                                                     std::string(dtype_info(options.dtype).name));
    }
    if (options.progress && !options.progress({"", 0, 0}))
        return fail(ErrorKind::cancelled, "cancelled");
    LOCKSTEP_ASSIGN(const ModelSource source, open_model_source(path, options.vocabulary_only));
    auto model = std::make_shared<Model>();
    TextSide text;
    const auto make_text = [&] { text.make(source); };
    if (options.vocabulary_only) {
        const auto poll = [&] {
            return !options.progress || options.progress({"tokenizer", 0, 0});
        };
        LOCKSTEP_TRY(run_tasks({make_text}, 1, poll));
    } else {
        LOCKSTEP_TRY(check_fits(source, options));
        LOCKSTEP_TRY(
            load_weights(source.weights, source.config, options, make_text, model->weights));
    }
    LOCKSTEP_TRY(std::move(text.status));
    model->name = source.name;
    model->path = path;
    model->source_format = source.format;
    model->dtype = options.dtype;
    model->device = options.device;
    model->config = source.config;
    model->tokenizer = std::move(text.tokenizer);
    model->chat_template = std::move(text.chat_template);
    model->template_problem = std::move(text.template_problem);
    model->generation_defaults = source.generation_defaults;
    return std::shared_ptr<const Model>(std::move(model));
}

}  // namespace

Result<MemoryEstimate> estimate_memory(const std::filesystem::path& path,
                                       const LoadOptions& options) {
    LOCKSTEP_ASSIGN(const MemoryFit fit, fit_memory(path, options));
    return fit.needed;
}

Result<std::shared_ptr<const Model>> load_model(const std::filesystem::path& path,
                                                const LoadOptions& options) {
    try {
        return load(path, options);
    } catch (const std::bad_alloc&) {
        return fail(ErrorKind::out_of_memory, path.string() + ": not enough memory to load it");
    }
}

}  // namespace lockstep
