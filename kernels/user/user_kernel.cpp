// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/user_kernel.h"

#include "kernels/cpu/cpu_stream.h"
#include "kernels/step_catalog.h"
#include "kernels/user/abi.h"
#include "kernels/user/isolated_kernel.h"
#include "kernels/user/kernel_file.h"
#include "kernels/user/kernel_library.h"
#include "kernels/user/user_gpu.h"

namespace lockstep {
namespace {

Result<KernelPath> base_path(DeviceKind device, const std::string& name) {
    if (const KernelPath* path = find_kernel_path(device, name)) return *path;
    std::string known;
    for (const KernelPath& path : kernel_paths(device))
        known += (known.empty() ? "" : ", ") + path.name;
    return fail(ErrorKind::invalid_argument,
                "the base of a user's kernel is one of " + known + ", not \"" + name + "\"");
}

Status check_device(DeviceKind own, DeviceKind wanted) {
    if (own == wanted) return {};
    if (own == DeviceKind::cuda) {
        return fail(
            ErrorKind::unsupported,
            "it is for a GPU (lockstep_device), the model lies on the CPU: open that on the "
            "GPU (--device cuda)");
    }
    return fail(ErrorKind::unsupported,
                "it is for the CPU, the model lies on a GPU: a kernel for that defines "
                "lockstep_device() to return LOCKSTEP_CUDA");
}

// `whole` has all seven steps; those of `mask` replace the base's.
UserKernel mixed(KernelPath base, const KernelPath& whole, uint32_t mask,
                 std::shared_ptr<const KernelFile> file) {
    UserKernel kernel;
    kernel.base = base.name;
    kernel.path = std::move(base);
    kernel.path.name = file->name();
    kernel.file = std::move(file);
    for (int step = 0; step < step_count; ++step) {
        if (!((mask >> step) & 1)) continue;
        kernel.path = kernel.path.with_step(static_cast<StepId>(step), whole);
        kernel.steps.push_back(static_cast<StepId>(step));
    }
    return kernel;
}

// A path with `make(type)` as each step's function.
template <class Make>
KernelPath path_of(const Make& make) {
    KernelPath path;
    path.embed = make.template operator()<EmbedArgs>();
    path.qkv = make.template operator()<QkvArgs>();
    path.attention = make.template operator()<AttentionArgs>();
    path.attn_output = make.template operator()<AttnOutputArgs>();
    path.gate_up = make.template operator()<GateUpArgs>();
    path.down = make.template operator()<DownArgs>();
    path.logits = make.template operator()<LogitsArgs>();
    return path;
}

Result<UserKernel> isolated(std::shared_ptr<const KernelFile> file, KernelPath base,
                            const IsolationOptions& options) {
    LOCKSTEP_ASSIGN(const std::shared_ptr<IsolatedKernel> kernel,
                    IsolatedKernel::open(file, options));
    LOCKSTEP_TRY(check_device(kernel->device(), base.device));
    KernelPath whole = path_of([&]<class Args>() -> StepFunction<Args> {
        return [kernel](const Args& args, Stream& stream) {
            return kernel->call(StepArgs(args), stream);
        };
    });
    whole.writes_unfused_outputs = static_cast<uint8_t>(kernel->unfused_outputs());
    return mixed(std::move(base), whole, kernel->steps(), std::move(file));
}

template <class Args>
Result<AbiCall> call_here(const Args& args, Stream& stream, bool unfused) {
    if (stream.device().kind() == DeviceKind::cpu)
        return to_abi(args, cpu_stream(stream).pool().threads(), unfused);
    AbiCall call = to_abi(args, 1, unfused);
    call.context().device = LOCKSTEP_CUDA;
    call.context().device_index = device_index(stream.device());
    LOCKSTEP_ASSIGN(call.context().stream, native_stream(stream));
    return call;
}

Result<UserKernel> in_process(std::shared_ptr<const KernelFile> file, KernelPath base) {
    LOCKSTEP_ASSIGN(const KernelLibrary library, load_kernel_library(file->fd(), file->name()));
    LOCKSTEP_TRY(check_device(library.device, base.device));
    KernelPath whole = path_of([&]<class Args>() -> StepFunction<Args> {
        const bool unfused = (library.unfused_outputs >> static_cast<int>(Args::id)) & 1;
        return [library, unfused](const Args& args, Stream& stream) -> Status {
            LOCKSTEP_ASSIGN(const AbiCall call, call_here(args, stream, unfused));
            Status ran = call_kernel(library, Args::id, call.args.data());
            if (!ran) return within(kernel_function(Args::id), std::move(ran).error());
            return {};
        };
    });
    whole.writes_unfused_outputs = static_cast<uint8_t>(library.unfused_outputs);
    whole.replayable = static_cast<uint8_t>(library.replayable);
    return mixed(std::move(base), whole, library.steps_mask(), std::move(file));
}

Result<UserKernel> named(const std::filesystem::path& file, Result<UserKernel> kernel) {
    if (kernel) return kernel;
    return within(file.string(), std::move(kernel).error());
}

}  // namespace

Result<UserKernel> open_user_kernel_isolated(const std::filesystem::path& file,
                                             const std::string& base,
                                             const IsolationOptions& options) {
    LOCKSTEP_ASSIGN(KernelPath path, base_path(options.device, base));
    LOCKSTEP_ASSIGN(std::shared_ptr<const KernelFile> bytes, KernelFile::read(file));
    return named(file, isolated(std::move(bytes), std::move(path), options));
}

Result<UserKernel> open_user_kernel_in_process(const UserKernel& passed) {
    LOCKSTEP_ASSIGN(KernelPath path, base_path(passed.path.device, passed.base));
    return named(passed.file->path(), in_process(passed.file, std::move(path)));
}

Result<UserKernel> open_user_kernel_in_process(const std::filesystem::path& file,
                                               const std::string& base, DeviceKind device) {
    LOCKSTEP_ASSIGN(KernelPath path, base_path(device, base));
    LOCKSTEP_ASSIGN(std::shared_ptr<const KernelFile> bytes, KernelFile::read(file));
    return named(file, in_process(std::move(bytes), std::move(path)));
}

}  // namespace lockstep
