// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/weight_loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "core/model/dequantize.h"
#include "core/model/task_runner.h"
#include "core/model/weight_plan.h"
#include "core/model/weight_upload.h"

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

// Rows of one tensor: where each comes from.
struct RowCopy {
    DType from, to;
    const std::byte* stored;
    int64_t rows, columns;
    int64_t head_rows = 0;  // of a permuted q or k: rows per head; else 0

    int64_t bytes(int64_t row_count) const { return dtype_bytes(to, row_count * columns); }

    // memory: where row `first` goes, and the others after it.
    void run(int64_t first, int64_t last, std::byte* memory) const {
        if (head_rows == 0) {
            expand(from, stored + dtype_bytes(from, first * columns), to, memory,
                   (last - first) * columns);
            return;
        }
        for (int64_t row = first; row < last; ++row) {
            const int64_t in_head = row % head_rows, half = head_rows / 2;
            const int64_t source = row - in_head + 2 * (in_head % half) + in_head / half;
            expand(from, stored + dtype_bytes(from, source * columns), to,
                   memory + bytes(row - first), columns);
        }
    }
};

RowCopy row_copy(const Match& match, bool interleaved_qk, DType to) {
    const std::vector<int64_t>& shape = match.slot->shape;
    const bool permuted = interleaved_qk && match.slot->heads > 0;
    RowCopy copy{*match.stored->dtype, to, match.stored->data.data(), 1, 1};
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

// A few rows of one tensor, and their place in the group's buffer.
struct Piece {
    const WeightSlot* slot;
    RowCopy copy;
    int64_t first, last;
    size_t offset, bytes;
};

// In the order of their places.
std::vector<Piece> pieces_of(const WeightGroup& group, std::span<const Match> matches,
                             bool interleaved_qk, DType dtype) {
    std::vector<Piece> pieces;
    for (size_t i = 0; i < group.slots.size(); ++i) {
        const WeightSlot& slot = group.slots[i];
        const RowCopy copy = row_copy(matches[i], interleaved_qk, dtype);
        const int64_t step = std::max<int64_t>(1, task_elements / copy.columns);
        for (int64_t first = 0; first < copy.rows; first += step) {
            const int64_t last = std::min(copy.rows, first + step);
            pieces.push_back({&slot, copy, first, last,
                              slot.offset + static_cast<size_t>(copy.bytes(first)),
                              static_cast<size_t>(copy.bytes(last - first))});
        }
    }
    return pieces;
}

using Tasks = std::vector<std::function<void()>>;

// memory: where the byte at `begin` of the group's buffer goes.
void add_tasks(std::span<const Piece> pieces, std::byte* memory, size_t begin, Progress& progress,
               Tasks& tasks) {
    for (const Piece& piece : pieces) {
        tasks.push_back([piece, to = memory + (piece.offset - begin), &progress] {
            progress.current = piece.slot;
            piece.copy.run(piece.first, piece.last, to);
            progress.done += static_cast<int64_t>(piece.bytes);
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

// Of a part that goes to another device: long enough for its bus, and so short that the first one
// is on its way early.
constexpr size_t upload_bytes = size_t{32} << 20;

size_t part_bytes(const std::vector<std::vector<Piece>>& groups) {
    size_t piece_bytes = 0, group_bytes = 0;
    for (const std::vector<Piece>& pieces : groups) {
        for (const Piece& piece : pieces) piece_bytes = std::max(piece_bytes, piece.bytes);
        if (!pieces.empty())
            group_bytes = std::max(group_bytes, pieces.back().offset + pieces.back().bytes);
    }
    return std::max(piece_bytes, std::min(group_bytes, upload_bytes));
}

// How many pieces from the first on lie within `bytes` of it.
size_t count_within(std::span<const Piece> pieces, size_t bytes) {
    const size_t end = pieces.front().offset + bytes;
    const auto beyond = std::find_if(pieces.begin(), pieces.end(), [&](const Piece& piece) {
        return piece.offset + piece.bytes > end;
    });
    return static_cast<size_t>(beyond - pieces.begin());
}

// Part by part: each is expanded on every core while those before it are on their way.
Status upload(const std::vector<std::vector<Piece>>& groups, Device& device, Progress& progress,
              const std::vector<Buffer>& buffers) {
    LOCKSTEP_ASSIGN(const auto parts, WeightUpload::create(device, part_bytes(groups)));
    for (size_t group = 0; group < groups.size(); ++group) {
        std::span<const Piece> rest = groups[group];
        while (!rest.empty()) {
            const auto part = rest.first(count_within(rest, parts->part_bytes()));
            const size_t begin = part.front().offset;
            const size_t end = part.back().offset + part.back().bytes;
            LOCKSTEP_ASSIGN(std::byte* const memory, parts->next_part());
            Tasks tasks;
            add_tasks(part, memory, begin, progress, tasks);
            LOCKSTEP_TRY(run_tasks(tasks, 0, [&] { return progress.report(); }));
            LOCKSTEP_TRY(
                parts->send(static_cast<std::byte*>(buffers[group].data()) + begin, end - begin));
            rest = rest.subspan(part.size());
        }
    }
    return parts->finish();
}

// One task on a thread of its own, joined by the destructor at the latest.
class Beside {
  public:
    explicit Beside(const std::function<void()>& task)
        : thread_([this, task] {
              status_ = run_tasks({task}, 1, [] { return true; });
              done_ = true;
          }) {}
    Status wait(const std::function<bool()>& poll) const {
        while (!done_) {
            if (!poll()) return fail(ErrorKind::cancelled, "cancelled");
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return status_;
    }

  private:
    Status status_;
    std::atomic<bool> done_ = false;
    std::jthread thread_;
};

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
    const std::vector<WeightGroup> groups = plan_weights(config, options.dtype, weights);
    LOCKSTEP_ASSIGN(const std::vector<Match> matches, match_tensors(source, config, groups));
    Progress progress{options};
    for (const Match& match : matches) {
        progress.total += dtype_bytes(options.dtype, match.stored->numel());
    }
    std::vector<std::vector<Piece>> pieces;
    std::span<const Match> rest = matches;
    for (const WeightGroup& group : groups) {
        pieces.push_back(pieces_of(group, rest, source.interleaved_qk, options.dtype));
        rest = rest.subspan(group.slots.size());
        LOCKSTEP_ASSIGN(Buffer buffer, device.allocate(group.bytes));
        bind(group, options.dtype, static_cast<std::byte*>(buffer.data()));
        weights.buffers.push_back(std::move(buffer));
    }
    if (config.tie_word_embeddings) weights.lm_head = weights.embed_tokens;
    if (device.kind() != DeviceKind::cpu) {
        const Beside other(beside);
        LOCKSTEP_TRY(upload(pieces, device, progress, weights.buffers));
        return other.wait([&] { return progress.report(); });
    }
    Tasks tasks{beside};
    for (size_t i = 0; i < pieces.size(); ++i)
        add_tasks(pieces[i], static_cast<std::byte*>(weights.buffers[i].data()), 0, progress,
                  tasks);
    return run_tasks(tasks, 0, [&] { return progress.report(); });
}

}  // namespace lockstep
