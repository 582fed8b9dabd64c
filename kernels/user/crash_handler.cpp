// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/crash_handler.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>

#include "kernels/user/shared_memory.h"

namespace lockstep {
namespace {

constexpr std::array signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
// How far from the stack pointer an access is the stack's: a large frame is probed page by page or
// not at all.
constexpr uintptr_t stack_reach = 1 << 20;

CrashReport* report = nullptr;
const WatchedMemory* watched_memory = nullptr;
pid_t calling_thread = 0;
alignas(16) std::array<std::byte, 64 * 1024> signal_stack;

pid_t this_thread() {
    return static_cast<pid_t>(syscall(SYS_gettid));
}

uintptr_t stack_pointer([[maybe_unused]] const ucontext_t& context) {
#if defined(__x86_64__)
    return static_cast<uintptr_t>(context.uc_mcontext.gregs[REG_RSP]);
#elif defined(__aarch64__)
    return context.uc_mcontext.sp;
#else
    return 0;
#endif
}

Access access_of([[maybe_unused]] const ucontext_t& context) {
#if defined(__x86_64__)
    return (context.uc_mcontext.gregs[REG_ERR] & 2) != 0 ? Access::write : Access::read;
#else
    return Access::unknown;
#endif
}

void locate(uintptr_t address) {
    const auto inside = [&](const std::byte* first, size_t bytes, Region region) {
        const auto begin = reinterpret_cast<uintptr_t>(first);
        if (!first || address < begin || address - begin >= bytes) return;
        report->region = region;
        report->address = address - begin;
    };
    report->address = address;
    inside(watched_memory->activations, watched_memory->activations_bytes, Region::activations);
    inside(watched_memory->weights, watched_memory->weights_bytes, Region::weights);
}

void write_down(int signal, siginfo_t* info, void* context_pointer) {
    if (report->signal == 0) {
        report->signal = signal;
        report->in_kernel_thread = this_thread() != calling_thread;
        if (signal == SIGSEGV || signal == SIGBUS) {
            const auto& context = *static_cast<const ucontext_t*>(context_pointer);
            // An address that no memory can have is not told.
            const bool told = info->si_code != SI_KERNEL;
            const auto address = told ? reinterpret_cast<uintptr_t>(info->si_addr) : UINTPTR_MAX;
            const uintptr_t stack = stack_pointer(context);
            locate(address);
            report->access = access_of(context);
            report->stack_overflow = report->region == Region::none &&
                                     address + stack_reach > stack && address < stack + page_bytes;
        }
    }
    // Returning does it again, and this time nobody is asked; abort() raises it again itself.
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
    if (info->si_code <= 0) raise(signal);  // sent, not caused: nothing would do it again
}

}  // namespace

void install_crash_handler(CrashReport& to, const WatchedMemory& memory) {
    report = &to;
    watched_memory = &memory;
    calling_thread = this_thread();
    stack_t stack{};
    stack.ss_sp = signal_stack.data();
    stack.ss_size = signal_stack.size();
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = write_down;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (const int signal : signals) sigaction(signal, &action, nullptr);
}

}  // namespace lockstep
