// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/child_main.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "kernels/user/child_gpu.h"
#include "kernels/user/child_protocol.h"
#include "kernels/user/crash_handler.h"
#include "kernels/user/kernel_library.h"

namespace lockstep {
namespace {

constexpr const char* launched_on_default_stream =
    "launched on the default stream, or one that waits for it, which nothing here waits for: give "
    "every launch context.stream, as in <<<blocks, threads, shared_bytes, stream>>>";

// One of the memory files. Of it, only the operands of the call in hand can be touched.
class MappedRegion {
  public:
    explicit MappedRegion(int fd) : fd_(fd) {}

    bool map(uint64_t bytes) {
        if (bytes == bytes_) return true;
        if (base_) munmap(base_, bytes_);
        void* const mapped = mmap(nullptr, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
        base_ = mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
        bytes_ = base_ ? bytes : 0;
        return base_ != nullptr;
    }
    void shut() const {
        if (base_) mprotect(base_, bytes_, PROT_NONE);
    }
    void open(const OperandPlace& place) const {
        mprotect(base_ + place.first_page, place.page_bytes,
                 place.writable ? PROT_READ | PROT_WRITE : PROT_READ);
    }

    std::byte* base() const { return base_; }
    uint64_t bytes() const { return bytes_; }

  private:
    int fd_;
    std::byte* base_ = nullptr;
    uint64_t bytes_ = 0;
};

class Child {
  public:
    Child() { library_.steps.fill(nullptr); }

    int run() {
        void* const report =
            mmap(nullptr, sizeof(CrashReport), PROT_READ | PROT_WRITE, MAP_SHARED, child_report, 0);
        if (report == MAP_FAILED) return 1;
        install_crash_handler(*static_cast<CrashReport*>(report), watched_);
        ReplyMessage reply = load();
        while (send(reply)) {
            CallMessage message;
            if (!receive(message)) break;
            reply = call(message);
        }
        return 0;
    }

  private:
    ReplyMessage load() {
        ReplyMessage reply;
        Result<KernelLibrary> library = load_kernel_library(child_kernel, "the kernel");
        std::fflush(stdout);
        if (!library) {
            reply.kind = ReplyKind::refused;
            reply.error_kind = static_cast<uint32_t>(library.error().kind);
            say(reply, library.error().message);
            return reply;
        }
        library_ = std::move(*library);
        reply.kind = ReplyKind::loaded;
        reply.steps = library_.steps_mask();
        reply.device = static_cast<uint32_t>(library_.device);
        reply.unfused_outputs = library_.unfused_outputs;
        return reply;
    }

    ReplyMessage call(CallMessage& message) {
        ReplyMessage reply;
        reply.sequence = message.sequence;
        if (!open_operands(message)) {
            say(reply, "could not be given its operands: " + std::string(std::strerror(errno)));
            return reply;
        }
        if (message.call.context().device == LOCKSTEP_CUDA) {
            call_on_gpu(message, reply);
            std::fflush(stdout);
            return reply;
        }
        const Status ran = call_library(message);
        std::fflush(stdout);
        reply.kind = ran ? ReplyKind::done : ReplyKind::failed;
        if (!ran) say(reply, ran.error().message);
        return reply;
    }

    Status call_library(const CallMessage& message) const {
        return call_kernel(library_, static_cast<StepId>(message.call.step),
                           message.call.args.data());
    }

    void call_on_gpu(CallMessage& message, ReplyMessage& reply) {
        reply.kind = ReplyKind::lost;
        if (const Status given = give_on_gpu(message); !given)
            return say(reply, "could not be given its operands: " + given.error().message);
        const Status ran = call_library(message);
        if (const Status taken = gpu_->take(message, activations_.base()); !taken)
            return say(reply, taken.error().message);
        const Result<int> changed = gpu_->changed_operand(message);
        if (!changed) return say(reply, changed.error().message);
        const bool elsewhere = ran && gpu_->used_default_stream();
        reply.kind = ran && !elsewhere && *changed < 0 ? ReplyKind::done : ReplyKind::failed;
        reply.changed_operand = ran ? *changed : -1;
        if (!ran) say(reply, ran.error().message);
        if (elsewhere) say(reply, launched_on_default_stream);
    }

    Status give_on_gpu(CallMessage& message) {
        if (!gpu_) {
            LOCKSTEP_ASSIGN(gpu_, ChildGpu::create(message.call.context().device_index));
        }
        return gpu_->give(message, activations_.base(), weights_.base());
    }

    bool open_operands(CallMessage& message) {
        if (!activations_.map(message.activations_bytes) || !weights_.map(message.weights_bytes))
            return false;
        watched_ = {activations_.base(), weights_.base(), activations_.bytes(), weights_.bytes()};
        activations_.shut();
        if (message.forget_weights) weights_.shut();
        const std::span<lockstep_tensor> tensors = message.call.tensors();
        for (uint32_t i = 0; i < message.operands; ++i) {
            const OperandPlace& place = message.places[i];
            lockstep_tensor& tensor =
                i < tensors.size() ? tensors[i] : message.call.context().position;
            tensor.data = nullptr;
            if (place.region == Region::none) continue;
            const MappedRegion& region = place.region == Region::weights ? weights_ : activations_;
            region.open(place);
            tensor.data = region.base() + place.data;
        }
        return true;
    }

    static void say(ReplyMessage& reply, const std::string& text) {
        const size_t length = std::min(text.size(), reply.text.size() - 1);
        std::memcpy(reply.text.data(), text.data(), length);
    }

    template <class Message>
    static bool receive(Message& message) {
        ssize_t got = -1;
        do {
            got = recv(child_socket, &message, sizeof message, 0);
        } while (got < 0 && errno == EINTR);
        return got == static_cast<ssize_t>(sizeof message);
    }
    template <class Message>
    static bool send(const Message& message) {
        return ::send(child_socket, &message, sizeof message, MSG_NOSIGNAL) ==
               static_cast<ssize_t>(sizeof message);
    }

    KernelLibrary library_;
    std::unique_ptr<ChildGpu> gpu_;  // made by the first call
    MappedRegion activations_{child_activations}, weights_{child_weights};
    WatchedMemory watched_;
};

// A kernel in an endless loop does not see that the program is gone.
void end_with_the_program() {
    pollfd socket{child_socket, POLLRDHUP, 0};
    while (poll(&socket, 1, -1) < 0 && errno == EINTR) {
    }
    _exit(0);
}

}  // namespace

int kernel_child_main() {
    prctl(PR_SET_NAME, kernel_child_word);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);  // what it printed before it crashed is known
    std::thread(end_with_the_program).detach();
    static Child child;
    const int status = child.run();
    // Without the kernel's destructors and exit handlers, which may be broken like the rest of it.
    _exit(status);
}

}  // namespace lockstep
