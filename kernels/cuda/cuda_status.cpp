// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/cuda_status.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// A decode step is waited for without a pause: it takes a millisecond or two. Longer work can wait
// for a timer.
constexpr auto spin = milliseconds(5);
constexpr auto pause_between = microseconds(50);
// Of a GPU after a stop. What may still be queued then takes a small part of it (keep_pace).
constexpr auto patience = milliseconds(600);

const char* const final_hint = "; this process cannot use the GPU any more: start it again";

// CUDA's faults are the process's, not one GPU's: neither cudaDeviceReset nor another GPU is sure
// to work after one.
struct GivenUp {
    std::atomic<bool> any = false;
    std::mutex mutex;
    std::optional<Error> why;  // guarded by mutex
};

GivenUp& given_up() {
    static auto& state = *new GivenUp;  // never destroyed: threads may outlive main
    return state;
}

Status does_not_answer(const std::string& what) {
    give_up_cuda({ErrorKind::device_hang,
                  "the GPU does not answer: " + what + " did not end within " +
                      std::to_string(patience.count()) + " ms of a stop" + final_hint});
    return cuda_usable();
}

}  // namespace

bool cuda_error_is_final(cudaError_t error) {
    switch (error) {
        case cudaErrorIllegalAddress:
        case cudaErrorMisalignedAddress:
        case cudaErrorIllegalInstruction:
        case cudaErrorInvalidPc:
        case cudaErrorInvalidAddressSpace:
        case cudaErrorHardwareStackError:
        case cudaErrorLaunchFailure:
        case cudaErrorLaunchTimeout:
        case cudaErrorAssert:
        case cudaErrorECCUncorrectable:
        case cudaErrorNvlinkUncorrectable:
        case cudaErrorContextIsDestroyed:
            return true;
        default:
            return false;
    }
}

Status cuda_status(cudaError_t error, const std::string& call) {
    if (error == cudaSuccess) return {};
    (void)cudaGetLastError();  // an error that is not final does not reach the next call, too
    const std::string message = call + ": " + cudaGetErrorString(error);
    if (error == cudaErrorMemoryAllocation) return fail(ErrorKind::out_of_memory, message);
    if (!cuda_error_is_final(error)) return fail(ErrorKind::internal, message);
    give_up_cuda({ErrorKind::device_lost, message + final_hint});
    return fail(ErrorKind::device_lost, message + final_hint);
}

Status cuda_usable() {
    GivenUp& state = given_up();
    if (!state.any.load(std::memory_order_acquire)) return {};
    const std::scoped_lock lock(state.mutex);
    return tl::unexpected<Error>(*state.why);
}

void give_up_cuda(const Error& why) {
    GivenUp& state = given_up();
    const std::scoped_lock lock(state.mutex);
    if (!state.why) state.why = why;
    state.any.store(true, std::memory_order_release);
}

Status wait_for_gpu(const std::function<cudaError_t()>& query, const std::atomic<bool>* stop,
                    const std::string& what) {
    LOCKSTEP_TRY(cuda_usable());
    cudaError_t state = query();
    const auto began = Clock::now();
    std::optional<Clock::time_point> stopped;
    while (state == cudaErrorNotReady) {
        LOCKSTEP_TRY(cuda_usable());
        const auto now = Clock::now();
        if (!stopped && stop && stop->load(std::memory_order_relaxed)) stopped = now;
        if (stopped && now - *stopped > patience) return does_not_answer(what);
        if (now - began > spin) std::this_thread::sleep_for(pause_between);
        state = query();
    }
    return cuda_status(state, what);
}

}  // namespace lockstep
