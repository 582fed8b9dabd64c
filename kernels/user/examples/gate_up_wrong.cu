// SPDX-License-Identifier: GPL-3.0-or-later
// A gate_up for a GPU with one fault in it: the two projections come out of one loop, and the wrong
// one of them goes through SiLU. Lockstep finds the step, and names the fault.
//
//     nvcc -O2 -arch=native -shared -Xcompiler -fPIC -I kernels/user -o gate_up_wrong.so
//     kernels/user/examples/gate_up_wrong.cu
//     ./lockstep compare --device cuda --model smollm2-135m-instruct --candidate ./gate_up_wrong.so
#include "lockstep_kernel.h"

namespace {

constexpr int threads = 256, warps = threads / 32;

__device__ float sum_of_warp(float value) {
    for (int lane = 16; lane > 0; lane /= 2) value += __shfl_xor_sync(0xffffffffu, value, lane);
    return value;
}

// One block to a row and `warps` columns, one warp to a column.
__global__ void gate_up(const __grid_constant__ lockstep_gate_up_args args) {
    const int64_t row = blockIdx.x, columns = args.mlp.shape[1], width = args.hidden_attn.shape[1];
    const int64_t n = static_cast<int64_t>(blockIdx.y) * warps + threadIdx.x / 32;
    if (n >= columns) return;
    float squares = 0, gate = 0, up = 0;
    for (int64_t i = threadIdx.x % 32; i < width; i += 32) {
        const float x = lockstep_load(&args.hidden_attn, row * args.hidden_attn.stride[0] + i);
        const lockstep_tensor& norm = args.post_attention_layernorm;
        const float weighted = x * lockstep_load(&norm, i * norm.stride[0]);
        squares += x * x;
        gate += weighted * lockstep_load(&args.gate_proj, n * args.gate_proj.stride[0] + i);
        up += weighted * lockstep_load(&args.up_proj, n * args.up_proj.stride[0] + i);
    }
    const float scale = rsqrtf(sum_of_warp(squares) / width + args.rms_norm_eps);
    gate = sum_of_warp(gate) * scale;
    up = sum_of_warp(up) * scale;
    if (threadIdx.x % 32 == 0) {
        const float silu = up / (1 + expf(-up));  // the fault: it is the gate's
        lockstep_store(&args.mlp, row * args.mlp.stride[0] + n, silu * gate);
    }
}

}  // namespace

int lockstep_device(void) {
    return LOCKSTEP_CUDA;
}

int lockstep_gate_up(const lockstep_gate_up_args* args) {
    const dim3 blocks(static_cast<unsigned>(args->mlp.shape[0]),
                      static_cast<unsigned>((args->mlp.shape[1] + warps - 1) / warps));
    gate_up<<<blocks, threads, 0, static_cast<cudaStream_t>(args->context.stream)>>>(*args);
    return 0;
}
