// SPDX-License-Identifier: GPL-3.0-or-later
// The step that most fused kernels begin with, right and plain: RMSNorm, the three projections with
// their bias, RoPE and the append to the cache, in one launch. A place to start from on a GPU: keep
// what it computes, and make it fast.
//
//     nvcc -O2 -arch=native -shared -Xcompiler -fPIC -I kernels/user -o qkv.so
//     kernels/user/examples/qkv.cu
//     ./lockstep compare --device cuda --model smollm2-135m-instruct --candidate ./qkv.so
#include "lockstep_kernel.h"

namespace {

constexpr int threads = 256, warps = threads / 32;

__device__ float sum_of_warp(float value) {
    for (int lane = 16; lane > 0; lane /= 2) value += __shfl_xor_sync(0xffffffffu, value, lane);
    return value;
}

// 1 / sqrt(mean(row^2) + eps), for every thread of the block.
__device__ float rms_scale(const lockstep_tensor& hidden, int64_t row, float eps) {
    __shared__ float sums[warps];
    float own = 0;
    for (int64_t i = threadIdx.x; i < hidden.shape[1]; i += threads) {
        const float value = lockstep_load(&hidden, row * hidden.stride[0] + i);
        own += value * value;
    }
    own = sum_of_warp(own);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = own;
    __syncthreads();
    float all = 0;
    for (int warp = 0; warp < warps; ++warp) all += sums[warp];
    return rsqrtf(all / hidden.shape[1] + eps);
}

// normed . weight[n], by one warp.
__device__ float project(const lockstep_qkv_args& args, int64_t row, float scale,
                         const lockstep_tensor& weight, int64_t n) {
    float sum = 0;
    for (int64_t i = threadIdx.x % 32; i < weight.shape[1]; i += 32) {
        const float normed =
            lockstep_load(&args.hidden, row * args.hidden.stride[0] + i) * scale *
            lockstep_load(&args.input_layernorm, i * args.input_layernorm.stride[0]);
        sum += normed * lockstep_load(&weight, n * weight.stride[0] + i);
    }
    return sum_of_warp(sum);
}

// One block to a row and a head: A of q, then G of k, then G of v.
__global__ void qkv(const __grid_constant__ lockstep_qkv_args args) {
    extern __shared__ float head_values[];  // [D]
    const int64_t row = blockIdx.x, heads = args.q.shape[1], kv_heads = args.k_cache.shape[1];
    const int64_t head_dim = args.q.shape[2], half = head_dim / 2;
    const bool is_q = blockIdx.y < heads, is_k = !is_q && blockIdx.y < heads + kv_heads;
    const lockstep_tensor& weight = is_q ? args.q_proj : is_k ? args.k_proj : args.v_proj;
    const lockstep_tensor& bias = is_q ? args.q_bias : is_k ? args.k_bias : args.v_bias;
    const lockstep_tensor& out = is_q ? args.q : is_k ? args.k_cache : args.v_cache;
    const int64_t head = is_q ? blockIdx.y : (blockIdx.y - heads) % kv_heads;
    const int64_t position = *static_cast<const int32_t*>(args.context.position.data) + row;

    const float scale = rms_scale(args.hidden, row, args.rms_norm_eps);
    for (int64_t d = threadIdx.x / 32; d < head_dim; d += warps) {
        const int64_t n = head * head_dim + d;
        float value = project(args, row, scale, weight, n);
        if (bias.data) value += lockstep_load(&bias, n * bias.stride[0]);
        if (threadIdx.x % 32 == 0) head_values[d] = value;
    }
    __syncthreads();

    const int64_t out_row = is_q ? row : position;
    for (int64_t d = threadIdx.x; d < head_dim; d += threads) {
        float value = head_values[d];
        if (is_q || is_k) {
            const int64_t i = d % half;
            const float cos = lockstep_load(&args.rope_cos, position * args.rope_cos.stride[0] + i);
            const float sin = lockstep_load(&args.rope_sin, position * args.rope_sin.stride[0] + i);
            const float other = d < half ? -head_values[d + half] : head_values[d - half];
            value = value * cos + other * sin;
        }
        lockstep_store(&out, out_row * out.stride[0] + head * out.stride[1] + d, value);
    }
}

}  // namespace

int lockstep_device(void) {
    return LOCKSTEP_CUDA;
}

// The position comes from the GPU's memory: decoding may record the launch.
uint32_t lockstep_replayable(void) {
    return 1u << LOCKSTEP_QKV;
}

int lockstep_qkv(const lockstep_qkv_args* args) {
    const dim3 blocks(static_cast<unsigned>(args->q.shape[0]),
                      static_cast<unsigned>(args->q.shape[1] + 2 * args->k_cache.shape[1]));
    const auto bytes = static_cast<unsigned>(args->q.shape[2] * sizeof(float));
    qkv<<<blocks, threads, bytes, static_cast<cudaStream_t>(args->context.stream)>>>(*args);
    return 0;
}
