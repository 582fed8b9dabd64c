// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/trace.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

#include "core/base/json.h"
#include "core/inspect/passes.h"
#include "core/model/safetensors.h"

namespace lockstep {
namespace {

// Of the embedding's rows: rounding to another dtype is far below it, quantised weights and another
// model's are far above.
constexpr double same_embedding = 0.01;

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

int mantissa_bits(DType dtype) {
    return dtype == DType::f32 ? 24 : dtype == DType::f16 ? 11 : 8;
}

// "Qwen/Qwen2.5-0.5B" and "qwen2_5-0.5b" are the same name.
std::string plain_name(const std::string& name) {
    std::string plain;
    for (const char c : name.substr(name.find_last_of('/') + 1)) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte)) plain += static_cast<char>(std::tolower(byte));
    }
    return plain;
}

float stored_value(const StoredTensor& stored, int64_t index) {
    const auto bytes = static_cast<size_t>(dtype_bytes(*stored.dtype, 1));
    float aligned = 0;  // room for one element of any of the dtypes
    std::memcpy(&aligned, stored.data.data() + static_cast<size_t>(index) * bytes, bytes);
    return load_element(&aligned, *stored.dtype, 0);
}

// The largest of the last row of logits.
int32_t greedy_choice(const StoredTensor& logits) {
    const int64_t vocab_size = logits.shape[1], first = logits.numel() - vocab_size;
    int64_t best = 0;
    for (int64_t i = 1; i < vocab_size; ++i) {
        if (stored_value(logits, first + i) > stored_value(logits, first + best)) best = i;
    }
    return static_cast<int32_t>(best);
}

}  // namespace

tl::unexpected<Error> Trace::wrong(const std::string& what) const {
    return fail(ErrorKind::invalid_file, "trace " + file().string() + ": " + what);
}

Result<std::shared_ptr<const Trace>> Trace::open(const std::filesystem::path& file) {
    std::shared_ptr<Trace> trace(new Trace());
    auto mapped = MappedFile::open(file);
    if (!mapped) return within("trace", std::move(mapped).error());
    trace->mapped_ = std::move(*mapped);
    LOCKSTEP_TRY(trace->read_metadata());
    LOCKSTEP_TRY(trace->read_tensors());
    LOCKSTEP_TRY(trace->find_decode_ids(trace->decode_ids_json_));
    return trace;
}

Status Trace::read_metadata() {
    auto metadata = read_safetensors_metadata(mapped_);
    if (!metadata) return within("trace", std::move(metadata).error());
    const auto needed = [&](const char* key) -> Result<std::string> {
        const auto found = metadata->find(key);
        if (found != metadata->end()) return found->second;
        return wrong("its metadata has no " + std::string(key));
    };
    LOCKSTEP_ASSIGN(const std::string prompt, needed("prompt_ids"));
    LOCKSTEP_ASSIGN(prompt_ids_, read_ids("prompt_ids", prompt));
    if (prompt_ids_.empty()) return wrong("metadata prompt_ids: the prompt has no tokens");
    LOCKSTEP_ASSIGN(const std::string dtype, needed("dtype"));
    const auto known = parse_trace_dtype(dtype);
    if (!known) return wrong("metadata dtype: takes bf16, fp16 or fp32, not " + in_quotes(dtype));
    dtype_ = *known;
    model_ = (*metadata)["model"];
    path_ = (*metadata)["path"];
    decode_ids_json_ = (*metadata)["decode_ids"];
    return {};
}

Result<std::vector<int32_t>> Trace::read_ids(const std::string& key,
                                             const std::string& json) const {
    LOCKSTEP_ASSIGN(const Json list,
                    parse_json(json, "trace " + file().string() + ": metadata " + key));
    std::vector<int32_t> ids;
    for (const Json& id : list) {
        if (!list.is_array() || !id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
            return wrong("metadata " + key + ": not a JSON array of token ids");
        ids.push_back(id.get<int32_t>());
    }
    if (!list.is_array()) return wrong("metadata " + key + ": not a JSON array of token ids");
    return ids;
}

Status Trace::read_tensors() {
    auto all = read_safetensors(mapped_);
    if (!all) return within("trace", std::move(all).error());
    for (StoredTensor& stored : *all) {
        const auto place = parse_trace_name(stored.name);
        if (!place) continue;
        const std::string what = "tensor " + stored.name + ": ";
        if (!stored.dtype) return wrong(what + stored.type + " is not F32, F16 or BF16");
        if (mantissa_bits(*stored.dtype) < mantissa_bits(dtype_)) {
            return wrong(what + "stored in " + stored.type + ", which is coarser than the " +
                         std::string(trace_dtype_name(dtype_)) + " of its metadata");
        }
        last_pass_ = std::max(last_pass_, place->pass);
        std::string name = stored.name;
        tensors_.emplace(std::move(name), std::move(stored));
    }
    if (!tensors_.empty()) return {};
    return wrong("none of its " + std::to_string(all->size()) +
                 " tensors has a name of the format (pass.0.layers.0.q, ...)");
}

Status Trace::find_decode_ids(const std::string& json) {
    const auto steps = static_cast<size_t>(last_pass_);
    if (!json.empty()) {
        LOCKSTEP_ASSIGN(decode_ids_, read_ids("decode_ids", json));
        if (decode_ids_.size() < steps) {
            return wrong("metadata decode_ids: " + std::to_string(decode_ids_.size()) +
                         " ids, but there are tensors of pass " + std::to_string(last_pass_));
        }
        decode_ids_.resize(steps);
        return {};
    }
    for (int pass = 0; pass < last_pass_; ++pass) {
        const StoredTensor* const logits = find(pass, trace_logits, StepId::logits, "logits");
        if (!logits || logits->shape.size() != 2 || logits->numel() == 0) {
            return wrong("it has pass " + std::to_string(pass + 1) +
                         ", but neither decode_ids in its metadata nor pass." +
                         std::to_string(pass) + ".logits say which token that was fed");
        }
        decode_ids_.push_back(greedy_choice(*logits));
    }
    return {};
}

const StoredTensor* Trace::find(int pass, int layer, StepId step, std::string_view tap) const {
    const auto found = tensors_.find(trace_name(pass, layer, step, tap));
    return found == tensors_.end() ? nullptr : &found->second;
}

Result<Tensor> Trace::rows(const StoredTensor& stored, int64_t first, int64_t count,
                           Buffer& buffer) {
    const int64_t per_row = stored.shape[0] == 0 ? 0 : stored.numel() / stored.shape[0];
    const auto bytes = static_cast<size_t>(dtype_bytes(*stored.dtype, count * per_row));
    const auto skipped = static_cast<size_t>(dtype_bytes(*stored.dtype, first * per_row));
    LOCKSTEP_ASSIGN(buffer, cpu_device().allocate(bytes));
    std::memcpy(buffer.data(), stored.data.data() + skipped, bytes);
    return stored.shape.size() == 3
               ? Tensor(buffer.data(), *stored.dtype, {count, stored.shape[1], stored.shape[2]})
               : Tensor(buffer.data(), *stored.dtype, {count, per_row});
}

Status Trace::check_against(const Model& model) const {
    LOCKSTEP_TRY(check_ids(model));
    for (const auto& [name, stored] : tensors_)
        LOCKSTEP_TRY(check_shape(*parse_trace_name(name), stored, model));
    LOCKSTEP_TRY(check_identity(model));
    if (dtype_ == model.dtype) return {};
    const std::string own(trace_dtype_name(dtype_));
    return wrong("it was computed in " + own + ", but " + model.name + " is loaded in " +
                 std::string(trace_dtype_name(model.dtype)) + ": load it with --dtype " + own);
}

Status Trace::check_ids(const Model& model) const {
    for (const auto* ids : {&prompt_ids_, &decode_ids_}) {
        for (const int32_t id : *ids) {
            if (id < model.config.vocab_size) continue;
            return wrong("of another model: token " + std::to_string(id) +
                         " is outside the vocabulary of " + model.name + ", " +
                         std::to_string(model.config.vocab_size));
        }
    }
    const auto length = static_cast<int64_t>(prompt_ids_.size() + decode_ids_.size());
    if (length <= model.config.max_position_embeddings) return {};
    return wrong("of another model: it has " + std::to_string(length) + " tokens, and " +
                 model.name + " a context of " +
                 std::to_string(model.config.max_position_embeddings));
}

Status Trace::check_shape(const TracePlace& place, const StoredTensor& stored,
                          const Model& model) const {
    const std::string what = "tensor " + stored.name + ": ";
    if (place.step != StepId::logits && place.layer >= model.config.num_hidden_layers) {
        return wrong("of another model: " + what + model.name + " has the layers 0 to " +
                     std::to_string(model.config.num_hidden_layers - 1));
    }
    const int64_t tokens = place.pass == 0 ? static_cast<int64_t>(prompt_ids_.size()) : 1;
    const std::vector<int64_t> whole = trace_shape(place, model.config, tokens);
    if (stored.shape == whole) return {};
    const std::string from =
        model_.empty() ? std::string() : " (it says it is of " + printable(model_) + ")";
    const std::string rows = ", prompt_ids has " + std::to_string(prompt_ids_.size()) +
                             (prompt_ids_.size() == 1 ? " token" : " tokens");
    if (place.step != StepId::logits) {
        return wrong(what + "its shape is " + shape_text(stored.shape) + ", but " + model.name +
                     " makes " + shape_text(whole) + from + rows);
    }
    if (stored.shape == trace_shape(place, model.config, 1)) return {};
    return wrong(what + "its shape is " + shape_text(stored.shape) + ", but " + model.name +
                 " makes " + shape_text(whole) + ", or one row" + from + rows);
}

// Another name is not yet another model: the same weights are called differently by different
// programs. Their embeddings tell.
Status Trace::check_identity(const Model& model) const {
    if (model_.empty() || plain_name(model_) == plain_name(model.name) ||
        plain_name(model_) == plain_name(model.path.filename().string()))
        return {};
    const std::string other = "it says it is of " + printable(model_) + ", not " + model.name;
    const StoredTensor* const hidden = find(0, -1, StepId::embed, "hidden");
    if (!hidden) {
        return wrong("of another model? " + other +
                     ", and has no pass.0.embed.hidden that would tell. If it is the same model, "
                     "leave model out of its metadata");
    }
    double error = 0, whole = 0;
    const int64_t width = model.config.hidden_size;
    for (size_t row = 0; row < prompt_ids_.size(); ++row) {
        for (int64_t i = 0; i < width; ++i) {
            const double expected =
                lockstep::element(model.weights.embed_tokens, prompt_ids_[row] * width + i);
            const double value = stored_value(*hidden, static_cast<int64_t>(row) * width + i);
            error += (value - expected) * (value - expected);
            whole += expected * expected;
        }
    }
    if (std::sqrt(error) <= same_embedding * std::sqrt(whole)) return {};
    return wrong("of another model: " + other +
                 ", and its embeddings are not this model's (other weights, or others quantised)");
}

}  // namespace lockstep
