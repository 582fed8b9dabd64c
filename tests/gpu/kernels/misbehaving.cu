// SPDX-License-Identifier: GPL-3.0-or-later
// An attn_output for a GPU that does, besides its work, what LOCKSTEP_TEST_MISBEHAVE in the
// environment of its process names.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep_kernel.h"

namespace {

enum Misbehaviour {
    honest,
    null_pointer,
    past_end,
    far_past_end,
    before_start,
    misaligned,
    loop,
    input,
    weight,
    trap,
    unwritten,
    no_residual,
    no_barrier
};

constexpr int threads = 128;

__device__ volatile int never = 0;

__device__ void stray(Misbehaviour what, const lockstep_attn_output_args& args) {
    const lockstep_tensor& out = args.hidden_attn;
    const int64_t end = (out.shape[0] - 1) * out.stride[0] + out.shape[1];
    if (what == null_pointer) *reinterpret_cast<volatile int*>(static_cast<intptr_t>(never)) = 1;
    if (what == past_end) lockstep_store(&out, end, 1);
    if (what == far_past_end) lockstep_store(&out, end + 4096, 1);
    if (what == before_start) lockstep_store(&out, -1, 1);
    if (what == misaligned) {
        const auto odd = reinterpret_cast<uintptr_t>(args.attn.data) / 16 * 16 + 4 - 16;
        lockstep_store(&out, 0, reinterpret_cast<const volatile double*>(odd)[0] > 1e300);
    }
    while (what == loop && never == 0) {
    }
    if (what == input) lockstep_store(&args.attn, 0, 123);
    if (what == weight) lockstep_store(&args.o_proj, 0, 123);
    if (what == trap) __trap();
}

// One block to an element; its sum goes through shared memory.
__global__ void attn_output(const __grid_constant__ lockstep_attn_output_args args,
                            Misbehaviour what) {
    __shared__ float sums[threads];
    const int64_t t = blockIdx.x, h = blockIdx.y;
    if (what == unwritten) return;
    if (threadIdx.x == 0 && t == 0 && h == 0) stray(what, args);
    sums[threadIdx.x] = 0;
    __syncthreads();
    float sum = 0;
    for (int64_t i = threadIdx.x; i < args.attn.shape[1]; i += threads)
        sum += lockstep_load(&args.attn, t * args.attn.stride[0] + i) *
               lockstep_load(&args.o_proj, h * args.o_proj.stride[0] + i);
    // The race, made sure of: the sums of the other warps come late.
    if (what == no_barrier && threadIdx.x >= 32) __nanosleep(20000);
    sums[threadIdx.x] = sum;
    if (what != no_barrier) __syncthreads();
    if (threadIdx.x != 0) return;
    sum = what == no_residual ? 0 : lockstep_load(&args.hidden, t * args.hidden.stride[0] + h);
    for (int i = 0; i < threads; ++i) sum += sums[i];
    lockstep_store(&args.hidden_attn, t * args.hidden_attn.stride[0] + h, sum);
}

bool is(const char* name) {
    const char* const wanted = getenv("LOCKSTEP_TEST_MISBEHAVE");
    return wanted && strcmp(wanted, name) == 0;
}

Misbehaviour wanted() {
    const char* const names[] = {
        "none",  "null",   "past_end", "far_past_end", "before_start", "misaligned", "loop",
        "input", "weight", "trap",     "unwritten",    "no_residual",  "no_barrier"};
    for (int i = 0; i < 13; ++i) {
        if (is(names[i])) return static_cast<Misbehaviour>(i);
    }
    return honest;
}

// The context's, but where asked for another one: the default stream, the thread's, or one of its
// own, which waits for the default stream as those two do.
cudaStream_t stream_for(const lockstep_context& context) {
    if (is("default_stream") || is("default_stream_waited_for")) return nullptr;
    if (is("thread_stream")) return cudaStreamPerThread;
    static cudaStream_t own = nullptr;
    if (!own && (is("own_stream") || is("own_stream_joined"))) cudaStreamCreate(&own);
    return own ? own : static_cast<cudaStream_t>(context.stream);
}

// `later` waits for what `earlier` has been given so far.
void join(cudaStream_t later, cudaStream_t earlier) {
    static cudaEvent_t event = nullptr;
    if (!event) cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    cudaEventRecord(event, earlier);
    cudaStreamWaitEvent(later, event);
}

}  // namespace

int lockstep_device(void) {
    return LOCKSTEP_CUDA;
}

const char* lockstep_error_message(int error) {
    return error == 7 ? "rows must be a multiple of 128" : "";
}

int lockstep_attn_output(const lockstep_attn_output_args* args) {
    if (is("return")) return 7;
    if (is("host_read")) return *static_cast<const volatile char*>(args->attn.data) == 1 ? 1 : 0;
    if (is("exit")) exit(0);
    const dim3 blocks(static_cast<unsigned>(args->hidden.shape[0]),
                      static_cast<unsigned>(args->hidden.shape[1]));
    const unsigned many = is("launch") ? 4096 : threads;
    const auto given = static_cast<cudaStream_t>(args->context.stream);
    const cudaStream_t stream = stream_for(args->context);
    if (is("own_stream_joined")) join(stream, given);
    attn_output<<<blocks, many, 0, stream>>>(*args, wanted());
    if (is("own_stream_joined")) join(given, stream);
    if (is("default_stream_waited_for")) cudaDeviceSynchronize();
    return 0;
}
