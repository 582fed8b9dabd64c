// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/child_gpu.h"

#include "kernels/gpu_info.h"

namespace lockstep {
namespace {

constexpr int most_looks = 4;  // each takes a fifth of a second where the kernel waits for the GPU

// The operands that a kernel may only read, by their numbers.
std::vector<int> read_only(const CallMessage& message) {
    std::vector<int> numbers;
    for (uint32_t i = 0; i < message.operands; ++i) {
        const OperandPlace& place = message.places[i];
        if (place.region != Region::none && !place.writable) numbers.push_back(static_cast<int>(i));
    }
    return numbers;
}

// What it may have written to.
std::vector<WatchedBytes> written(const CallMessage& message) {
    std::vector<WatchedBytes> outputs;
    for (uint32_t i = 0; i < message.operands; ++i) {
        const OperandPlace& place = message.places[i];
        if (place.region == Region::activations && place.writable)
            outputs.push_back(watched_bytes(place));
    }
    return outputs;
}

}  // namespace

Result<std::unique_ptr<ChildGpu>> ChildGpu::create(int index) {
    LOCKSTEP_ASSIGN(Device* const device, cuda_device(index));
    LOCKSTEP_ASSIGN(std::unique_ptr<Stream> stream, device->make_stream(0));
    LOCKSTEP_ASSIGN(std::unique_ptr<DefaultStreamHold> hold, make_default_stream_hold(*device));
    return std::unique_ptr<ChildGpu>(new ChildGpu(*device, std::move(stream), std::move(hold)));
}

std::byte* ChildGpu::address(const OperandPlace& place) const {
    const auto& memory = place.region == Region::weights ? weights_ : activations_;
    return memory->base() + place.data;
}

Status ChildGpu::make_room(std::unique_ptr<GuardedMemory>& memory, uint64_t bytes, bool& moved) {
    moved = !memory || memory->bytes() < bytes;
    if (!moved) return {};
    memory.reset();
    LOCKSTEP_ASSIGN(memory, reserve_guarded_memory(bytes, device_));
    return {};
}

Status ChildGpu::give(CallMessage& message, const std::byte* activations,
                      const std::byte* weights) {
    bool moved = false;
    LOCKSTEP_TRY(make_room(activations_, message.activations_bytes, moved));
    LOCKSTEP_TRY(make_room(weights_, message.weights_bytes, moved));
    if (moved || message.forget_weights) kept_.clear();

    std::vector<GuardedMemory::Range> guarded, kept;
    for (uint32_t i = 0; i < message.operands; ++i) {
        const OperandPlace& place = message.places[i];
        if (place.region == Region::activations)
            guarded.push_back({place.first_page, place.page_bytes});
        if (place.region == Region::weights) kept.push_back({place.first_page, place.page_bytes});
    }
    LOCKSTEP_TRY(activations_->open(guarded, true));
    LOCKSTEP_TRY(weights_->open(kept, false));

    const std::span<lockstep_tensor> tensors = message.call.tensors();
    for (uint32_t i = 0; i < message.operands; ++i) {
        const OperandPlace& place = message.places[i];
        if (place.region == Region::none) continue;
        LOCKSTEP_TRY(place.region == Region::weights ? give_weight(place, weights)
                                                     : give_activation(place, activations));
        lockstep_tensor& tensor = i < tensors.size() ? tensors[i] : message.call.context().position;
        tensor.data = address(place);
    }
    LOCKSTEP_TRY(stream_->synchronize());
    LOCKSTEP_ASSIGN(given_, prints(message));
    LOCKSTEP_ASSIGN(message.call.context().stream, native_stream(*stream_));
    const int look = looks_[message.call.step]++;
    return look > 0 && look < most_looks ? hold_->begin() : Status();
}

Status ChildGpu::give_activation(const OperandPlace& place, const std::byte* activations) {
    const WatchedBytes watched = watched_bytes(place);
    const uint64_t first = place.writable ? watched.first : place.data;
    const uint64_t last = place.writable ? watched.last : place.data + place.bytes;
    return device_.copy_from_host(activations_->base() + first, activations + first, last - first,
                                  *stream_);
}

Status ChildGpu::give_weight(const OperandPlace& place, const std::byte* weights) {
    const auto known = kept_.find(place.data);
    if (known != kept_.end() && known->second == place.bytes && !place.fresh) return {};
    kept_[place.data] = place.bytes;
    return device_.copy_from_host(weights_->base() + place.data, weights + place.data, place.bytes,
                                  *stream_);
}

Status ChildGpu::take(const CallMessage& message, std::byte* activations) {
    LOCKSTEP_TRY(wait_for_kernel(*stream_));
    const std::vector<WatchedBytes> outputs = written(message);
    LOCKSTEP_TRY(copy(outputs, activations));
    return take_what_came_later(message, outputs, activations);
}

Status ChildGpu::copy(std::span<const WatchedBytes> outputs, std::byte* activations) {
    for (const WatchedBytes& each : outputs) {
        LOCKSTEP_TRY(device_.copy_to_host(activations + each.first,
                                          activations_->base() + each.first, each.last - each.first,
                                          *stream_));
    }
    return stream_->synchronize();
}

Status ChildGpu::take_what_came_later(const CallMessage& message,
                                      std::span<const WatchedBytes> outputs,
                                      std::byte* activations) {
    used_default_stream_ = false;
    const bool held = hold_->holds();  // else the kernel waited for the GPU, or nothing was held
    LOCKSTEP_TRY(hold_->let_go());
    if (!held) return {};
    const auto bytes = [&] {
        std::vector<std::byte> all;
        for (const WatchedBytes& each : outputs)
            all.insert(all.end(), activations + each.first, activations + each.last);
        return all;
    };
    const std::vector<std::byte> before = bytes();
    LOCKSTEP_TRY(copy(outputs, activations));
    used_default_stream_ = bytes() != before;
    looks_[message.call.step] = used_default_stream_ ? 1 : most_looks;
    return {};
}

Result<std::vector<uint64_t>> ChildGpu::prints(const CallMessage& message) const {
    std::vector<DeviceBytes> memory;
    for (const int i : read_only(message)) {
        const OperandPlace& place = message.places[static_cast<size_t>(i)];
        memory.push_back({address(place), place.bytes});
    }
    return fingerprints(memory, *stream_);
}

Result<int> ChildGpu::changed_operand(const CallMessage& message) {
    LOCKSTEP_ASSIGN(const std::vector<uint64_t> now, prints(message));
    const std::vector<int> numbers = read_only(message);
    int first = -1;
    for (size_t i = 0; i < now.size(); ++i) {
        if (now[i] == given_[i]) continue;
        const OperandPlace& place = message.places[static_cast<size_t>(numbers[i])];
        if (place.region == Region::weights) kept_.erase(place.data);
        if (first < 0) first = numbers[i];
    }
    return first;
}

}  // namespace lockstep
