// SPDX-License-Identifier: GPL-3.0-or-later
// CUDA's status as ours. Every call of its runtime goes through here: what failed is named by the
// call as it stands in the source.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "kernels/status.h"

namespace lockstep {

// A fault in a kernel or a lost GPU is final for a process; out of memory is not.
inline bool cuda_error_is_final(cudaError_t error) {
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
        case cudaErrorDevicesUnavailable:
            return true;
        default:
            return false;
    }
}

// call: "cudaMemcpyAsync(...)", or what a kernel is called.
inline Status cuda_status(cudaError_t error, const std::string& call) {
    if (error == cudaSuccess) return {};
    (void)cudaGetLastError();  // an error that is not final does not reach the next call, too
    const ErrorKind kind =
        error == cudaErrorMemoryAllocation ? ErrorKind::out_of_memory : ErrorKind::internal;
    const char* const hint = cuda_error_is_final(error)
                                 ? "; this process cannot use the GPU any more: start it again"
                                 : "";
    return fail(kind, call + ": " + cudaGetErrorString(error) + hint);
}

}  // namespace lockstep

// Returns the failure of a CUDA runtime call from the enclosing function.
#define LOCKSTEP_CUDA(call) LOCKSTEP_TRY(::lockstep::cuda_status((call), #call))
