// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/user_kernel.h"

#include "kernels/cpu/cpu_stream.h"
#include "kernels/step_catalog.h"
#include "kernels/user/abi.h"
#include "kernels/user/isolated_kernel.h"
#include "kernels/user/kernel_file.h"
#include "kernels/user/kernel_library.h"

namespace lockstep {
namespace {

Result<KernelPath> base_path(const std::string& name) {
    if (const KernelPath* path = find_kernel_path(DeviceKind::cpu, name)) return *path;
    std::string known;
    for (const KernelPath& path : kernel_paths(DeviceKind::cpu))
        known += (known.empty() ? "" : ", ") + path.name;
    return fail(ErrorKind::invalid_argument,
                "the base of a user's kernel is one of " + known + ", not \"" + name + "\"");
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
    KernelPath whole = path_of([&]<class Args>() -> StepFunction<Args> {
        return [kernel](const Args& args, Stream& stream) {
            return kernel->call(StepArgs(args), stream);
        };
    });
    whole.writes_unfused_outputs = static_cast<uint8_t>(kernel->unfused_outputs());
    return mixed(std::move(base), whole, kernel->steps(), std::move(file));
}

Result<UserKernel> in_process(std::shared_ptr<const KernelFile> file, KernelPath base) {
    LOCKSTEP_ASSIGN(const KernelLibrary library, load_kernel_library(file->fd(), file->name()));
    KernelPath whole = path_of([&]<class Args>() -> StepFunction<Args> {
        const bool unfused = (library.unfused_outputs >> static_cast<int>(Args::id)) & 1;
        return [library, unfused](const Args& args, Stream& stream) -> Status {
            const AbiCall call = to_abi(args, cpu_stream(stream).pool().threads(), unfused);
            Status ran = call_kernel(library, Args::id, call.args.data());
            if (!ran) return within(kernel_function(Args::id), std::move(ran).error());
            return {};
        };
    });
    whole.writes_unfused_outputs = static_cast<uint8_t>(library.unfused_outputs);
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
    LOCKSTEP_ASSIGN(KernelPath path, base_path(base));
    LOCKSTEP_ASSIGN(std::shared_ptr<const KernelFile> bytes, KernelFile::read(file));
    return named(file, isolated(std::move(bytes), std::move(path), options));
}

Result<UserKernel> open_user_kernel_in_process(const UserKernel& passed) {
    LOCKSTEP_ASSIGN(KernelPath path, base_path(passed.base));
    return named(passed.file->path(), in_process(passed.file, std::move(path)));
}

Result<UserKernel> open_user_kernel_in_process(const std::filesystem::path& file,
                                               const std::string& base) {
    LOCKSTEP_ASSIGN(KernelPath path, base_path(base));
    LOCKSTEP_ASSIGN(std::shared_ptr<const KernelFile> bytes, KernelFile::read(file));
    return named(file, in_process(std::move(bytes), std::move(path)));
}

}  // namespace lockstep
