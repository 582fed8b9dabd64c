// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/isolated_kernel.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "kernels/cpu/cpu_stream.h"
#include "kernels/user/kernel_library.h"
#include "kernels/user/user_gpu.h"

namespace lockstep {
namespace {

constexpr auto last_error_kind = static_cast<uint32_t>(ErrorKind::internal);
// What any kernel makes: a plain loop over bf16 in one thread makes several hundred million.
constexpr int64_t slowest_flops_per_second = 100'000'000;
// And on a GPU, one thread to an output.
constexpr int64_t slowest_gpu_flops_per_second = 10'000'000'000;

std::chrono::milliseconds limit_of(const StepArgs& args, DeviceKind device,
                                   std::chrono::milliseconds least) {
    const int64_t slowest =
        device == DeviceKind::cpu ? slowest_flops_per_second : slowest_gpu_flops_per_second;
    return least + std::chrono::milliseconds(step_flops(args) / (slowest / 1000));
}

// "lockstep_qkv on hidden bf16[5, 576] at position 0": what a message begins with. The layer is
// added by whoever runs the layers.
std::string call_text(const StepArgs& args) {
    const NamedTensor first = step_tensors(args).front();
    return kernel_function(step_id(args)) + " on " + std::string(first.name) + " " +
           first.tensor.description() + " at position " +
           std::to_string(step_context(args).first_row);
}

std::string seconds_text(std::chrono::milliseconds time) {
    std::string text = std::to_string(static_cast<double>(time.count()) / 1000);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text + " s";
}

std::string address_text(uint64_t address) {
    if (address == UINT64_MAX) return "an address that no memory has";
    if (address < page_bytes) return "a null pointer";
    char text[32];
    std::snprintf(text, sizeof text, "address 0x%llx", static_cast<unsigned long long>(address));
    return text;
}

std::string bytes_text(uint64_t bytes) {
    return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

// Where an access to a region hit, told from the operand that lies nearest: "q bf16[5, 9, 64], 12
// bytes past its end".
std::string place_text(const std::vector<Operand>& operands, const CrashReport& crash) {
    const Operand* nearest = nullptr;
    uint64_t least = UINT64_MAX;
    for (const Operand& operand : operands) {
        const OperandPlace& place = operand.place;
        if (place.region != crash.region) continue;
        const uint64_t before = place.data > crash.address ? place.data - crash.address : 0;
        const uint64_t end = place.data + place.bytes;
        const uint64_t distance = crash.address >= end ? crash.address - end + 1 : before;
        if (distance >= least) continue;
        nearest = &operand;
        least = distance;
    }
    if (!nearest) return "memory that is not this call's";
    const OperandPlace& place = nearest->place;
    const std::string name = std::string(nearest->name) + " " + nearest->tensor.description();
    if (crash.address < place.data)
        return name + ", " + bytes_text(place.data - crash.address) + " before its start";
    if (crash.address >= place.data + place.bytes) {
        return name + ", " + bytes_text(crash.address - place.data - place.bytes) + " past its end";
    }
    return nearest->is_written() ? name : name + ", which it may only read";
}

}  // namespace

Result<std::shared_ptr<IsolatedKernel>> IsolatedKernel::open(std::shared_ptr<const KernelFile> file,
                                                             IsolationOptions options) {
    std::shared_ptr<IsolatedKernel> kernel(new IsolatedKernel(std::move(file), std::move(options)));
    LOCKSTEP_ASSIGN(kernel->report_, SharedMemory::create("lockstep report"));
    LOCKSTEP_TRY(kernel->report_.grow(page_bytes));
    LOCKSTEP_ASSIGN(kernel->activations_, SharedMemory::create("lockstep activations"));
    LOCKSTEP_ASSIGN(WeightStore weights, WeightStore::create(kernel->options_.kept_weight_bytes));
    kernel->weights_ = std::make_unique<WeightStore>(std::move(weights));
    LOCKSTEP_TRY(kernel->start());
    return kernel;
}

Status IsolatedKernel::start() {
    new (report_.data()) CrashReport();
    ChildStart start;
    start.program = options_.program;
    start.arguments = options_.arguments;
    start.report = report_.fd();
    start.kernel = file_->fd();
    start.activations = activations_.fd();
    start.weights = weights_->memory().fd();
    start.on_output = options_.on_output;
    start.cancelled = options_.cancelled;
    LOCKSTEP_ASSIGN(child_, ChildProcess::start(std::move(start)));
    last_call_.clear();
    ReplyMessage reply;
    const auto waited = child_->receive(reply, 0, ChildProcess::Clock::now() + options_.load_limit);
    if (waited == ChildProcess::Waited::cancelled) return cancelled();
    if (waited == ChildProcess::Waited::too_long) {
        child_.reset();
        return fail(ErrorKind::invalid_file, "loading it took longer than " +
                                                 seconds_text(options_.load_limit) +
                                                 " (an endless loop in an initializer?)");
    }
    if (waited == ChildProcess::Waited::ended) return within("loading it", ended({}).value());
    if (reply.kind != ReplyKind::loaded) {
        child_.reset();
        return fail(static_cast<ErrorKind>(std::min(reply.error_kind, last_error_kind)),
                    reply.text.data());
    }
    steps_ = reply.steps;
    unfused_outputs_ = reply.unfused_outputs;
    device_ = static_cast<DeviceKind>(reply.device);
    return {};
}

std::byte* IsolatedKernel::region_of(const OperandPlace& place) const {
    return place.region == Region::weights ? weights_->memory().data() : activations_.data();
}

Status IsolatedKernel::place(std::vector<Operand>& operands, CallMessage& message, Stream& stream) {
    bool forgot = false;
    LOCKSTEP_TRY(weights_->place(operands, forgot, stream));
    Places places = device_ == DeviceKind::cpu
                        ? Places()
                        : Places(GuardedMemory::granule, GuardedMemory::granule);
    for (Operand& operand : operands) {
        if (is_weight(operand.role) || !operand.tensor.defined()) continue;
        operand.place = places.add(Region::activations, operand, operand.is_written());
    }
    LOCKSTEP_TRY(activations_.grow(places.end()));
    for (const Operand& operand : operands) {
        if (operand.place.region == Region::activations) put(operand, activations_.data());
        message.places[message.operands++] = operand.place;
    }
    message.activations_bytes = activations_.bytes();
    message.weights_bytes = weights_->memory().bytes();
    message.forget_weights = forgot;
    return {};
}

Status IsolatedKernel::call(const StepArgs& args, Stream& stream) {
    const std::scoped_lock lock(mutex_);
    const std::string text = call_text(args);
    if (child_ && child_->is_gone()) {
        const std::string after = last_call_.empty() ? "" : ", after " + last_call_;
        return within(file_->name() + "'s process had ended" + after, ended({}).value());
    }
    if (!child_) LOCKSTEP_TRY(start());

    const int step = static_cast<int>(step_id(args));
    const bool unfused = (unfused_outputs_ >> step) & 1;
    CallMessage message;
    message.sequence = ++sequence_;
    message.call = abi_call(args, stream, unfused);
    std::vector<Operand> operands = operands_of(args, unfused);
    std::vector<Buffer> copies;
    if (device_ != DeviceKind::cpu) LOCKSTEP_TRY(bring_operands(operands, copies, stream));
    LOCKSTEP_TRY(place(operands, message, stream));
    Status done = exchange(message, operands, limit_of(args, device_, options_.call_limit));
    if (done) done = take_results(operands, stream);
    if (!done) return within(text, std::move(done).error());
    last_call_ = text + " in layer " + std::to_string(step_context(args).layer);
    return {};
}

AbiCall IsolatedKernel::abi_call(const StepArgs& args, Stream& stream, bool unfused) const {
    const bool cpu = device_ == DeviceKind::cpu;
    const int threads = cpu ? cpu_stream(stream).pool().threads() : 1;
    AbiCall call = std::visit([&](const auto& a) { return to_abi(a, threads, unfused); }, args);
    if (cpu) return call;
    call.context().device = LOCKSTEP_CUDA;
    call.context().device_index = device_index(stream.device());
    return call;
}

Status IsolatedKernel::exchange(const CallMessage& message, const std::vector<Operand>& operands,
                                std::chrono::milliseconds limit) {
    if (!child_->send(message)) return ended(operands);
    ReplyMessage reply;
    const auto waited =
        child_->receive(reply, message.sequence, ChildProcess::Clock::now() + limit);
    if (waited == ChildProcess::Waited::ended) return ended(operands);
    if (waited == ChildProcess::Waited::cancelled) return cancelled();
    if (waited == ChildProcess::Waited::too_long) {
        const std::string text = with_last_line("did not return within " + seconds_text(limit) +
                                                " (an endless loop?); its process was ended");
        child_.reset();
        return fail(ErrorKind::internal, text);
    }
    if (reply.kind == ReplyKind::done) return {};
    std::string text = reply.text.data();
    const auto changed = static_cast<size_t>(reply.changed_operand);
    if (reply.changed_operand >= 0 && changed < operands.size()) {
        text = "wrote to " + std::string(operands[changed].name) + " " +
               operands[changed].tensor.description() + ", which it may only read";
    }
    text = with_last_line(text);
    if (reply.kind == ReplyKind::lost) child_.reset();
    return fail(ErrorKind::internal, text);
}

Status IsolatedKernel::take_results(const std::vector<Operand>& operands, Stream& stream) {
    for (const Operand& operand : operands) {
        if (operand.place.region != Region::activations) continue;
        const std::string stray = stray_write(operand, activations_.data());
        if (!stray.empty()) return fail(ErrorKind::internal, with_last_line(stray));
    }
    for (const Operand& operand : operands) {
        if (operand.place.region != Region::activations || !operand.is_written()) continue;
        take_back(operand, activations_.data());
        if (operand.on_device) LOCKSTEP_TRY(return_written(operand, stream));
    }
    return stream.synchronize();
}

tl::unexpected<Error> IsolatedKernel::cancelled() {
    child_.reset();  // it would go on
    return fail(ErrorKind::cancelled, "stopped");
}

tl::unexpected<Error> IsolatedKernel::ended(const std::vector<Operand>& operands) {
    const std::string how = child_->end();
    const bool exited = how.starts_with("exit(");
    std::string text = report().signal != 0 ? crash_text(operands)
                       : exited             ? "ended its process with " + how
                                            : "was ended by " + how;
    text = with_last_line(text);
    child_.reset();
    return fail(ErrorKind::internal, text);
}

std::string IsolatedKernel::crash_text(const std::vector<Operand>& operands) const {
    const CrashReport& crash = report();
    const char* const name = sigabbrev_np(crash.signal);
    std::string text = "crashed (SIG" + std::string(name ? name : "?") + ")";
    if (crash.in_kernel_thread) text += " in a thread that it had started";
    if (crash.signal != SIGSEGV && crash.signal != SIGBUS) return text;
    if (crash.stack_overflow) return text + ": its stack overflowed";
    text += crash.access == Access::write  ? ": it wrote to "
            : crash.access == Access::read ? ": it read "
                                           : ": it read or wrote to ";
    if (crash.region == Region::none) return text + address_text(crash.address);
    return text + place_text(operands, crash);
}

std::string IsolatedKernel::with_last_line(const std::string& text) const {
    const std::string line = child_ ? child_->last_line() : "";
    return line.empty() ? text : text + "; the last it printed: \"" + line + "\"";
}

}  // namespace lockstep
