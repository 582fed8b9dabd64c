// SPDX-License-Identifier: GPL-3.0-or-later
// A user's kernel in a child process: each call is carried there and back, and whatever the kernel
// does to itself is an error here, with the step, the shape and what happened. Internal to
// open_user_kernel_isolated().
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "kernels/device.h"
#include "kernels/step_catalog.h"
#include "kernels/user/child_process.h"
#include "kernels/user/kernel_file.h"
#include "kernels/user/user_kernel.h"
#include "kernels/user/weight_store.h"

namespace lockstep {

class IsolatedKernel {
  public:
    // Starts the process and loads the file in it.
    static Result<std::shared_ptr<IsolatedKernel>> open(std::shared_ptr<const KernelFile> file,
                                                        IsolationOptions options);

    uint32_t steps() const { return steps_; }  // bit s: step s is exported
    uint32_t unfused_outputs() const { return unfused_outputs_; }
    DeviceKind device() const { return device_; }

    // From any thread; one at a time. After a fault the next call starts a new process.
    Status call(const StepArgs& args, Stream& stream);

  private:
    IsolatedKernel(std::shared_ptr<const KernelFile> file, IsolationOptions options)
        : file_(std::move(file)), options_(std::move(options)) {}

    Status start();
    AbiCall abi_call(const StepArgs& args, Stream& stream, bool unfused) const;
    Status place(std::vector<Operand>& operands, CallMessage& message, Stream& stream);
    Status exchange(const CallMessage& message, const std::vector<Operand>& operands,
                    std::chrono::milliseconds limit);
    Status take_results(const std::vector<Operand>& operands, Stream& stream);
    std::byte* region_of(const OperandPlace& place) const;
    // Ends the process. operands: of the call it was in; none where it was in none.
    tl::unexpected<Error> ended(const std::vector<Operand>& operands);
    tl::unexpected<Error> cancelled();
    std::string crash_text(const std::vector<Operand>& operands) const;
    std::string with_last_line(const std::string& text) const;
    CrashReport& report() const { return *reinterpret_cast<CrashReport*>(report_.data()); }

    std::shared_ptr<const KernelFile> file_;
    IsolationOptions options_;
    uint32_t steps_ = 0, unfused_outputs_ = 0;
    DeviceKind device_ = DeviceKind::cpu;

    std::mutex mutex_;
    SharedMemory report_, activations_;
    std::unique_ptr<WeightStore> weights_;
    std::unique_ptr<ChildProcess> child_;
    std::string last_call_;  // that the running process has finished
    uint64_t sequence_ = 0;
};

}  // namespace lockstep
