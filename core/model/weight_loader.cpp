// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/weight_loader.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/model/dequantize.h"
#include "core/model/task_runner.h"
#include "core/model/weight_plan.h"

namespace lockstep {
namespace {

using TensorsByName = std::unordered_map<std::string_view, const StoredTensor*>;

// A slot with the tensor that fills it.
struct Match {
    const WeightSlot* slot;
    const StoredTensor* stored;
};

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

Status check_match(const WeightSlot& slot, const StoredTensor& stored) {
    if (!stored.dtype) {
        return fail(ErrorKind::unsupported,
                    stored.where() + ": type " + stored.type +
                        " is not supported for weights; supported: F32, F16, BF16");
    }
    if (stored.shape != slot.shape) {
        return fail(ErrorKind::invalid_file, stored.where() + ": shape " +
                                                 shape_text(stored.shape) +
                                                 " is not the config's " + shape_text(slot.shape));
    }
    if (stored.shape.size() == 1 && !is_floating(*stored.dtype)) {
        return fail(ErrorKind::unsupported, stored.where() + ": a vector of type " + stored.type +
                                                " is not supported; supported: F32, F16, BF16");
    }
    return {};
}

bool all_zero(const StoredTensor& stored) {
    return std::ranges::all_of(stored.data, [](std::byte byte) { return byte == std::byte{0}; });
}

// Tensors beyond the plan must be ones that change nothing, or the model would be another one than
// the file holds.
Status check_unused(const StoredTensor& stored, const ModelConfig& config) {
    const std::string_view name = stored.name;
    const bool known = name.ends_with("rotary_emb.inv_freq") || name == "rope_freqs.weight" ||
                       name.ends_with(".attn_rot_embd.weight") ||
                       name.ends_with(".rope_freqs.weight") ||
                       (config.tie_word_embeddings && name == "lm_head.weight");
    if (known || (name.ends_with(".bias") && all_zero(stored))) return {};
    return fail(ErrorKind::unsupported, stored.where() +
                                            ": the engine has no use for this tensor; "
                                            "the model is of another kind than its config says");
}

Result<std::vector<Match>> match_tensors(const WeightSource& source, const ModelConfig& config,
                                         const std::vector<WeightGroup>& groups) {
    TensorsByName by_name;
    for (const StoredTensor& stored : source.tensors) by_name.emplace(stored.name, &stored);
    std::unordered_set<std::string_view> used;
    std::vector<Match> matches;
    for (const WeightGroup& group : groups) {
        for (const WeightSlot& slot : group.slots) {
            const std::string& name = source.gguf ? slot.gguf_name : slot.name;
            const auto found = by_name.find(name);
            if (found == by_name.end()) {
                return fail(ErrorKind::invalid_file,
                            source.where + ": tensor " + name + " is missing");
            }
            LOCKSTEP_TRY(check_match(slot, *found->second));
            used.insert(found->second->name);
            matches.push_back({&slot, found->second});
        }
    }
    for (const StoredTensor& stored : source.tensors) {
        if (!used.contains(stored.name)) LOCKSTEP_TRY(check_unused(stored, config));
    }
    return matches;
}

// Rows of one tensor: where each comes from and goes to.
struct RowCopy {
    DType from, to;
    const std::byte* stored;
    std::byte* memory;
    int64_t rows, columns;
    int64_t head_rows = 0;  // of a permuted q or k: rows per head; else 0

    void run(int64_t first, int64_t last) const {
        if (head_rows == 0) {
            expand(from, stored + dtype_bytes(from, first * columns), to,
                   memory + dtype_bytes(to, first * columns), (last - first) * columns);
            return;
        }
        for (int64_t row = first; row < last; ++row) {
            const int64_t in_head = row % head_rows, half = head_rows / 2;
            const int64_t source = row - in_head + 2 * (in_head % half) + in_head / half;
            expand(from, stored + dtype_bytes(from, source * columns), to,
                   memory + dtype_bytes(to, row * columns), columns);
        }
    }
};

RowCopy row_copy(const Match& match, bool interleaved_qk, DType to, std::byte* buffer) {
    const std::vector<int64_t>& shape = match.slot->shape;
    const bool permuted = interleaved_qk && match.slot->heads > 0;
    RowCopy copy{*match.stored->dtype,        to, match.stored->data.data(),
                 buffer + match.slot->offset, 1,  1};
    if (shape.size() > 1 || permuted) copy.rows = shape[0];
    copy.columns = shape.size() > 1 ? shape[1] : shape[0] / copy.rows;
    if (permuted) copy.head_rows = shape[0] / match.slot->heads;
    return copy;
}

// What the loading thread tells its owner.
struct Progress {
    const LoadOptions& options;
    int64_t total = 0;
    std::atomic<int64_t> done = 0;
    std::atomic<const WeightSlot*> current = nullptr;

    bool report() const {
        if (!options.progress) return true;
        const WeightSlot* slot = current;
        std::string name = slot ? slot->name : "";
        if (name.ends_with(".weight")) name.resize(name.size() - 7);
        return options.progress({name, done, total});
    }
};

// About a quarter of a millisecond of work each, so that cancelling is prompt.
constexpr int64_t task_elements = 1 << 18;

using Tasks = std::vector<std::function<void()>>;

void add_tasks(const Match& match, const RowCopy& copy, Progress& progress, Tasks& tasks) {
    const int64_t step = std::max<int64_t>(1, task_elements / copy.columns);
    for (int64_t first = 0; first < copy.rows; first += step) {
        const int64_t last = std::min(copy.rows, first + step);
        tasks.push_back([copy, first, last, slot = match.slot, &progress] {
            progress.current = slot;
            copy.run(first, last);
            progress.done += dtype_bytes(copy.to, (last - first) * copy.columns);
        });
    }
}

// The tensors of Weights become views into the groups' buffers.
void bind(const WeightGroup& group, DType dtype, std::byte* memory) {
    for (const WeightSlot& slot : group.slots) {
        void* data = memory + slot.offset;
        *slot.tensor = slot.shape.size() > 1 ? Tensor(data, dtype, {slot.shape[0], slot.shape[1]})
                                             : Tensor(data, dtype, {slot.shape[0]});
    }
}

}  // namespace

Status check_weights(const WeightSource& source, const ModelConfig& config) {
    Weights unused;
    return match_tensors(source, config, plan_weights(config, DType::bf16, unused))
        .map([](const auto&) {});
}

Status load_weights(const WeightSource& source, const ModelConfig& config,
                    const LoadOptions& options, const std::function<void()>& beside,
                    Weights& weights) {
    Device& device = options.device ? *options.device : cpu_device();
    const bool staged = device.kind() != DeviceKind::cpu;
    const std::vector<WeightGroup> groups = plan_weights(config, options.dtype, weights);
    LOCKSTEP_ASSIGN(const std::vector<Match> matches, match_tensors(source, config, groups));
    Progress progress{options};
    for (const Match& match : matches) {
        progress.total += dtype_bytes(options.dtype, match.stored->numel());
    }
    const auto poll = [&] { return progress.report(); };

    std::unique_ptr<Stream> stream;
    if (staged) {
        LOCKSTEP_ASSIGN(stream, device.make_stream(0));
    }
    Tasks tasks{beside};
    size_t next_match = 0;
    for (const WeightGroup& group : groups) {
        LOCKSTEP_ASSIGN(Buffer buffer, device.allocate(group.bytes));
        Buffer staging;
        if (staged) {
            LOCKSTEP_ASSIGN(staging, cpu_device().allocate(group.bytes));
        }
        auto* host = static_cast<std::byte*>(staged ? staging.data() : buffer.data());
        for (size_t i = 0; i < group.slots.size(); ++i) {
            const Match& match = matches[next_match++];
            add_tasks(match, row_copy(match, source.interleaved_qk, options.dtype, host), progress,
                      tasks);
        }
        bind(group, options.dtype, static_cast<std::byte*>(buffer.data()));
        weights.buffers.push_back(std::move(buffer));
        if (!staged) continue;  // all groups at once, below
        LOCKSTEP_TRY(run_tasks(tasks, 0, poll));
        tasks.clear();
        LOCKSTEP_TRY(device.copy_from_host(weights.buffers.back().data(), staging.data(),
                                           group.bytes, *stream));
        LOCKSTEP_TRY(stream->synchronize());
    }
    LOCKSTEP_TRY(run_tasks(tasks, 0, poll));
    if (config.tie_word_embeddings) weights.lm_head = weights.embed_tokens;
    return {};
}

}  // namespace lockstep
