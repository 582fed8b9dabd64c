// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/kernel_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cfenv>
#include <cstring>
#include <exception>

#include "kernels/step_catalog.h"
#include "kernels/user/lockstep_kernel.h"

namespace lockstep {
namespace {

// With the process's number instead of "self", a debugger finds the file, too.
std::string file_of(int fd) {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd);
}

template <class Function>
Function* symbol(void* handle, const std::string& name) {
    return reinterpret_cast<Function*>(dlsym(handle, name.c_str()));
}

// What the loader says, less the name that it was given.
std::string loader_complaint(const std::string& file) {
    const char* const text = dlerror();  // NOLINT(concurrency-mt-unsafe): of this thread, in glibc
    std::string message = text ? text : "it could not be loaded";
    if (message.starts_with(file + ": ")) message.erase(0, file.size() + 2);
    if (message.find("undefined symbol") != std::string::npos)
        message += " (define it, or link the library that does)";
    return message;
}

std::string step_functions() {
    std::string names;
    for (int step = 0; step < step_count; ++step)
        names += (step ? ", " : "") + kernel_function(static_cast<StepId>(step));
    return names;
}

Status check_version(void* handle) {
    const auto version = symbol<int()>(handle, "lockstep_abi_version");
    if (!version) {
        return fail(ErrorKind::invalid_file,
                    "it does not say which version it was built for (lockstep_abi_version): "
                    "include lockstep_kernel.h");
    }
    // Version 2 added kernels for GPUs; what version 1 has is the same in it.
    if (const int number = version(); number < 1 || number > LOCKSTEP_ABI_VERSION) {
        return fail(ErrorKind::unsupported, "built for version " + std::to_string(number) +
                                                " of lockstep_kernel.h, but this is version " +
                                                std::to_string(LOCKSTEP_ABI_VERSION) +
                                                ": build it again with this one");
    }
    return {};
}

Result<DeviceKind> device_of(void* handle) {
    const auto device = symbol<int()>(handle, "lockstep_device");
    const int number = device ? device() : LOCKSTEP_CPU;
    if (number == LOCKSTEP_CPU) return DeviceKind::cpu;
    if (number == LOCKSTEP_CUDA) return DeviceKind::cuda;
    return fail(ErrorKind::invalid_file, "lockstep_device() returned " + std::to_string(number) +
                                             ": it returns LOCKSTEP_CPU or LOCKSTEP_CUDA");
}

Result<KernelLibrary> load(int fd) {
    // A copy of the descriptor that stays open for good, as the library stays loaded: were its
    // number used again, the loader would take the next file of that name for this one.
    const int kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (kept < 0) return fail(ErrorKind::io, std::strerror(errno));
    const std::string file = file_of(kept);
    void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        close(kept);
        return fail(ErrorKind::invalid_file, loader_complaint(file));
    }
    LOCKSTEP_TRY(check_version(handle));
    KernelLibrary library;
    LOCKSTEP_ASSIGN(library.device, device_of(handle));
    for (int step = 0; step < step_count; ++step) {
        const std::string name = kernel_function(static_cast<StepId>(step));
        library.steps[static_cast<size_t>(step)] = dlsym(handle, name.c_str());
    }
    if (library.steps_mask() == 0) {
        return fail(ErrorKind::invalid_file,
                    "it exports none of " + step_functions() +
                        ": include lockstep_kernel.h, which declares them extern \"C\"");
    }
    library.error_message = symbol<const char*(int)>(handle, "lockstep_error_message");
    if (const auto unfused = symbol<uint32_t()>(handle, "lockstep_unfused_outputs"))
        library.unfused_outputs = unfused() & library.steps_mask();
    if (const auto replayable = symbol<uint32_t()>(handle, "lockstep_replayable"))
        library.replayable = replayable() & library.steps_mask();
    if (library.device == DeviceKind::cuda)
        library.cuda_error = symbol<const char*()>(handle, "lockstep_cuda_error");
    return library;
}

// Rounding and the treatment of tiny numbers are the thread's: a library built with -ffast-math
// changes them as it is loaded, a kernel may as it runs, and the other paths would compute by them.
class KeepFloatingPoint {
  public:
    KeepFloatingPoint() { std::fegetenv(&environment_); }
    ~KeepFloatingPoint() { std::fesetenv(&environment_); }
    KeepFloatingPoint(const KeepFloatingPoint&) = delete;
    KeepFloatingPoint& operator=(const KeepFloatingPoint&) = delete;

  private:
    std::fenv_t environment_{};
};

// A message of one line, and not a long one.
std::string one_line(std::string text) {
    text.resize(std::min<size_t>(text.size(), 500));
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    }
    return text;
}

template <class Args>
int call(void* function, const void* args) {
    return reinterpret_cast<int (*)(const Args*)>(function)(static_cast<const Args*>(args));
}

int call(StepId step, void* function, const void* args) {
    switch (step) {
        case StepId::embed:
            return call<lockstep_embed_args>(function, args);
        case StepId::qkv:
            return call<lockstep_qkv_args>(function, args);
        case StepId::attention:
            return call<lockstep_attention_args>(function, args);
        case StepId::attn_output:
            return call<lockstep_attn_output_args>(function, args);
        case StepId::gate_up:
            return call<lockstep_gate_up_args>(function, args);
        case StepId::down:
            return call<lockstep_down_args>(function, args);
        case StepId::logits:
            return call<lockstep_logits_args>(function, args);
    }
    return -1;
}

std::string in_words(const KernelLibrary& library, int error) {
    std::string text = "returned " + std::to_string(error);
    const char* const meaning = library.error_message ? library.error_message(error) : nullptr;
    if (meaning && *meaning) text += ": " + one_line(meaning);
    return text;
}

}  // namespace

uint32_t KernelLibrary::steps_mask() const {
    uint32_t mask = 0;
    for (size_t step = 0; step < steps.size(); ++step) {
        if (steps[step]) mask |= 1u << step;
    }
    return mask;
}

std::string kernel_function(StepId step) {
    return "lockstep_" + std::string(step_name(step));
}

Result<KernelLibrary> load_kernel_library(int fd, const std::string& name) {
    const KeepFloatingPoint keep;
    Result<KernelLibrary> library = load(fd);
    if (library) library->name = name;
    return library;
}

Status call_kernel(const KernelLibrary& library, StepId step, const void* args) {
    void* const function = library.steps[static_cast<size_t>(step)];
    const auto failed = [](std::string what) { return fail(ErrorKind::internal, std::move(what)); };
    if (!function) return failed("is not exported");
    const KeepFloatingPoint keep;
    try {
        const int error = call(step, function, args);
        // Asked in any case: a complaint is not to be the next call's.
        const char* const complaint = library.cuda_error ? library.cuda_error() : nullptr;
        const std::string cuda =
            complaint ? "the CUDA runtime says \"" + one_line(complaint) + "\"" : "";
        if (error == 0) return complaint ? failed(cuda) : Status();
        return failed(in_words(library, error) + (complaint ? "; " + cuda : ""));
    } catch (const std::exception& exception) {
        return failed("threw an exception: " + one_line(exception.what()));
    } catch (...) {
        if (!std::current_exception()) throw;  // pthread_exit(): it must not be stopped
        return failed("threw an exception");
    }
}

}  // namespace lockstep
