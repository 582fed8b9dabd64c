// SPDX-License-Identifier: GPL-3.0-or-later
// CUDA's status as ours. Every call of its runtime goes through here: what failed is named by the
// call as it stands in the source.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <functional>
#include <string>

#include "kernels/status.h"

namespace lockstep {

// A fault in a kernel or a lost GPU is final for a process; out of memory is not.
bool cuda_error_is_final(cudaError_t error);

// call: "cudaMemcpyAsync(...)", or what a kernel is called. A final error gives CUDA up.
Status cuda_status(cudaError_t error, const std::string& call);

// Why this process can use no GPU any more, if so. Given up, no call of the driver is made again:
// it would fail, or never return. Any thread may call these two; the first reason stays.
Status cuda_usable();
void give_up_cuda(const Error& why);

// Polls, as no call that blocks in the driver could be left: until query() is other than
// cudaErrorNotReady (its status, then), CUDA is given up, or *stop has been true for a while and
// the GPU still does not answer: then this gives it up. what: stands in that message.
Status wait_for_gpu(const std::function<cudaError_t()>& query, const std::atomic<bool>* stop,
                    const std::string& what);

}  // namespace lockstep

// Returns the failure of a CUDA runtime call from the enclosing function.
#define LOCKSTEP_CUDA(call) LOCKSTEP_TRY(::lockstep::cuda_status((call), #call))
