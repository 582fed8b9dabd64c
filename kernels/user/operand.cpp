// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/operand.h"

#include <algorithm>
#include <cstring>

#include "kernels/step_transfer.h"
#include "kernels/user/shared_memory.h"

namespace lockstep {
namespace {

constexpr uint64_t data_alignment = 64;
// Pages that can't be touched before and after each operand. They cost no memory, and a kernel that
// is off by a row or two still hits them.
constexpr uint64_t guard_bytes = 256 * 1024;
// So much is watched before an operand whose first page begins earlier (a GPU's pages are large).
constexpr uint64_t watched_before = 8192;
constexpr std::byte poison{0xff};  // in every element: NaN in f32, f16 and bf16

std::byte pattern(uint64_t offset) {
    return static_cast<std::byte>(0xa5 ^ (offset * 29 & 0xff));
}

void fill_pattern(std::byte* region, uint64_t first, uint64_t last) {
    for (uint64_t i = first; i < last; ++i) region[i] = pattern(i);
}

struct Damage {
    uint64_t first = 0, last = 0;  // [first, last); empty: none
    explicit operator bool() const { return last > first; }
};

Damage damage(const std::byte* region, uint64_t first, uint64_t last) {
    while (first < last && region[first] == pattern(first)) ++first;
    while (last > first && region[last - 1] == pattern(last - 1)) --last;
    return {first, last};
}

// The runs of consecutive elements of rows [first, first + count) of dimension 0, by their offsets
// in bytes from the tensor's first element, ascending; all of one length.
struct Runs {
    std::vector<uint64_t> starts;
    uint64_t bytes = 0;
};

Runs runs_of(const Tensor& tensor, int64_t first, int64_t count) {
    const Tensor part = tensor.rows(first, count);
    const auto offset = [&](int64_t elements) {
        return static_cast<uint64_t>(dtype_bytes(tensor.dtype, elements));
    };
    const uint64_t begin = offset(first * tensor.stride[0]);
    if (part.contiguous()) return {{begin}, static_cast<uint64_t>(part.bytes())};
    Runs runs;
    runs.bytes = offset(part.shape[part.rank - 1]);
    const int64_t count_of_runs = part.numel() / part.shape[part.rank - 1];
    for (int64_t run = 0; run < count_of_runs; ++run) {
        int64_t rest = run, elements = 0;
        for (int d = part.rank - 2; d >= 0; --d) {
            elements += rest % part.shape[d] * part.stride[d];
            rest /= part.shape[d];
        }
        runs.starts.push_back(begin + offset(elements));
    }
    std::sort(runs.starts.begin(), runs.starts.end());
    return runs;
}

Runs written_runs(const Operand& operand) {
    return runs_of(operand.tensor, operand.written_first, operand.written_rows);
}

// What comes back of it. Of the cache, all: a wrong row shows, as it would in place.
Runs taken_runs(const Operand& operand) {
    const bool whole = operand.role == Role::state;
    return whole ? runs_of(operand.tensor, 0, operand.tensor.shape[0]) : written_runs(operand);
}

// Every element of what the step must write was written.
bool all_written(const Operand& operand, const std::byte* data) {
    const auto size = static_cast<uint64_t>(dtype_bytes(operand.tensor.dtype, 1));
    const Runs runs = written_runs(operand);
    for (const uint64_t start : runs.starts) {
        for (uint64_t at = start; at < start + runs.bytes; at += size) {
            if (std::all_of(data + at, data + at + size,
                            [](std::byte byte) { return byte == poison; }))
                return false;
        }
    }
    return true;
}

std::string described(const Operand& operand) {
    return std::string(operand.name) + " " + operand.tensor.description();
}

std::string row_text(int64_t first, int64_t count) {
    return "[" + std::to_string(first) + ", " + std::to_string(first + count) + ")";
}

// The cache, of which a step may write some rows. Where it missed those, the comparison shows it;
// to write others beside them is told here, because nothing else would see it.
std::string stray_state(const Operand& operand, const std::byte* data) {
    const auto* const before = static_cast<const std::byte*>(operand.tensor.data);
    const Runs runs = written_runs(operand);
    uint64_t at = 0;
    for (size_t i = 0; i <= runs.starts.size(); ++i) {
        const uint64_t next =
            i < runs.starts.size() ? runs.starts[i] : extent_bytes(operand.tensor);
        const auto differs = std::mismatch(data + at, data + next, before + at);
        if (differs.first != data + next) {
            if (!all_written(operand, data)) return {};
            const auto pitch =
                static_cast<uint64_t>(dtype_bytes(operand.tensor.dtype, operand.tensor.stride[0]));
            const auto row = static_cast<uint64_t>(differs.first - data) / pitch;
            return "wrote in row " + std::to_string(row) + " of " + described(operand) +
                   ", but only rows " + row_text(operand.written_first, operand.written_rows) +
                   " are the step's to write";
        }
        at = next + runs.bytes;
    }
    return {};
}

std::string stray_between_runs(const Operand& operand, const std::byte* region) {
    const Runs runs = written_runs(operand);
    for (size_t i = 0; i + 1 < runs.starts.size(); ++i) {
        const uint64_t first = operand.place.data + runs.starts[i] + runs.bytes;
        const Damage found = damage(region, first, operand.place.data + runs.starts[i + 1]);
        if (found) {
            return "wrote between the rows of " + described(operand) + ", " +
                   std::to_string(found.first - first) + " bytes past the end of one";
        }
    }
    return {};
}

}  // namespace

uint64_t extent_bytes(const Tensor& tensor) {
    int64_t last = 0;
    for (int d = 0; d < tensor.rank; ++d) last += (tensor.shape[d] - 1) * tensor.stride[d];
    return static_cast<uint64_t>(dtype_bytes(tensor.dtype, last + 1));
}

std::vector<Operand> operands_of(const StepArgs& args, bool unfused_outputs) {
    std::vector<Operand> operands;
    std::visit(
        [&]<class Args>(const Args& a) {
            for (const TensorField<Args>& field : Args::fields()) {
                Operand operand;
                operand.name = field.name;
                operand.role = field.role;
                operand.tensor = a.*field.member;
                if (field.role == Role::unfused_output && !unfused_outputs) operand.tensor = {};
                const bool made = field.role == Role::output || field.role == Role::unfused_output;
                if (made && operand.tensor.defined())
                    operand.written_rows = operand.tensor.shape[0];
                if constexpr (Args::id == StepId::qkv) {
                    if (field.role == Role::state) {
                        operand.written_first = a.context.first_row;
                        operand.written_rows = a.q.shape[0];
                    }
                }
                operands.push_back(operand);
            }
        },
        args);
    Operand position;
    position.name = "position";
    position.tensor = step_context(args).position;
    operands.push_back(position);
    return operands;
}

Status bring_operands(std::vector<Operand>& operands, std::vector<Buffer>& copies, Stream& stream) {
    for (Operand& operand : operands) {
        if (!operand.tensor.defined()) continue;
        operand.on_device = operand.tensor.data;
        if (operand.role == Role::weight || operand.role == Role::optional_weight) continue;
        if (operand.role == Role::output || operand.role == Role::unfused_output) {
            LOCKSTEP_ASSIGN(Buffer room, cpu_device().allocate(extent_bytes(operand.tensor)));
            operand.tensor.data = room.data();
            copies.push_back(std::move(room));
        } else {
            LOCKSTEP_ASSIGN(operand.tensor, bring_to_host(operand.tensor, copies, stream));
        }
    }
    return {};
}

// A row of the cache that is not the step's to write shows, as it would in place.
Status return_written(const Operand& operand, Stream& stream) {
    const Runs runs = taken_runs(operand);
    for (const uint64_t start : runs.starts) {
        LOCKSTEP_TRY(stream.device().copy_from_host(
            static_cast<std::byte*>(operand.on_device) + start,
            static_cast<const std::byte*>(operand.tensor.data) + start, runs.bytes, stream));
    }
    return {};
}

Places::Places() : Places(page_bytes, guard_bytes) {}

uint64_t Places::end() const {
    return next_ + guard_;
}

uint64_t Places::needed(uint64_t bytes) {
    return round_up(bytes + 2 * data_alignment, page_bytes) + guard_bytes;
}

OperandPlace Places::add(Region region, const Operand& operand, bool writable) {
    const uint64_t bytes = extent_bytes(operand.tensor);
    const void* const own = operand.on_device ? operand.on_device : operand.tensor.data;
    const uint64_t misfit = reinterpret_cast<uintptr_t>(own) % data_alignment;
    const uint64_t aligned = round_up(misfit + bytes, data_alignment);
    OperandPlace place;
    place.region = region;
    place.writable = writable;
    place.bytes = bytes;
    place.first_page = next_ + guard_;
    place.page_bytes = round_up(aligned, page_);
    place.data = place.first_page + place.page_bytes - aligned + misfit;
    next_ = place.first_page + place.page_bytes;
    return place;
}

WatchedBytes watched_bytes(const OperandPlace& place) {
    const uint64_t before = std::min(place.data - place.first_page, watched_before);
    return {place.data - before, place.first_page + place.page_bytes};
}

void put(const Operand& operand, std::byte* region) {
    const OperandPlace& place = operand.place;
    std::byte* const data = region + place.data;
    if (!operand.is_written()) {
        std::memcpy(data, operand.tensor.data, place.bytes);
        return;
    }
    const WatchedBytes watched = watched_bytes(place);
    fill_pattern(region, watched.first, place.data);
    fill_pattern(region, place.data + place.bytes, watched.last);
    const Runs runs = written_runs(operand);
    if (operand.role == Role::state) {
        std::memcpy(data, operand.tensor.data, place.bytes);
    } else if (runs.starts.size() > 1) {
        fill_pattern(region, place.data, place.data + place.bytes);
    }
    for (const uint64_t start : runs.starts) std::fill_n(data + start, runs.bytes, poison);
}

std::string stray_write(const Operand& operand, const std::byte* region) {
    if (!operand.is_written()) return {};
    const OperandPlace& place = operand.place;
    const uint64_t end = place.data + place.bytes;
    const WatchedBytes watched = watched_bytes(place);
    if (const Damage found = damage(region, end, watched.last)) {
        return "wrote " + std::to_string(found.last - end) + " bytes past the end of " +
               described(operand);
    }
    if (const Damage found = damage(region, watched.first, place.data)) {
        return "wrote " + std::to_string(place.data - found.first) + " bytes before " +
               described(operand);
    }
    if (operand.role == Role::state) return stray_state(operand, region + place.data);
    return stray_between_runs(operand, region);
}

void take_back(const Operand& operand, const std::byte* region) {
    if (!operand.is_written()) return;
    const std::byte* const data = region + operand.place.data;
    auto* const to = static_cast<std::byte*>(operand.tensor.data);
    const Runs runs = taken_runs(operand);
    for (const uint64_t start : runs.starts) std::memcpy(to + start, data + start, runs.bytes);
}

}  // namespace lockstep
