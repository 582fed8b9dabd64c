// SPDX-License-Identifier: GPL-3.0-or-later
// A warp's part of attention for one row: tiles of 16 keys against up to 16 query heads of one
// group, on the tensor cores. Both decode kernels copy and score tiles so; the one of clusters goes
// on with a running maximum of its own (flash decoding), a chain with one softmax for a block.
#pragma once

#include "kernels/cuda/device_math.cuh"
#include "kernels/cuda/fused_attention.cuh"

namespace lockstep::fused {

constexpr int key_tile = 16;  // keys that a warp takes at a time

// A group's keys or values in the cache: [C, Dim], rows `stride` elements apart.
template <class T>
struct CacheRows {
    const T* data;
    int64_t stride;
};

// Keys [from, to) of those in tile `index`; zeros from `keys` on.
template <class T, int Dim>
__device__ void copy_keys(const CacheRows<T>& k_head, const CacheRows<T>& v_head, int index,
                          int from, int to, int keys, int lane, T* k, T* v) {
    constexpr int pieces = Dim / 8;
#pragma unroll
    for (int i = 0; i < key_tile * pieces / 32; ++i) {
        const int item = i * 32 + lane;
        const int row = item / pieces, column = item % pieces * 8;
        const int key = index * key_tile + row;
        if (key < from || key >= to) continue;
        const int bytes = key < keys ? 16 : 0;
        const int64_t there = key < keys ? key : 0;
        const int at = row * pitch<Dim>() + column;
        device::copy_16_async(k + at, k_head.data + there * k_head.stride + column, bytes);
        device::copy_16_async(v + at, v_head.data + there * v_head.stride + column, bytes);
    }
}

// `ratio` query heads as the left operand of mma; zeros where there is no head.
template <class T, int Dim>
__device__ void load_queries(const T* first_head, int64_t head_stride, int ratio, int lane,
                             uint32_t (&q)[Dim / 16][4]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int h = lane / 4 + half * 8;
        const T* const from = first_head + h * head_stride;
#pragma unroll
        for (int d = 0; d < Dim / 16; ++d) {
#pragma unroll
            for (int second = 0; second < 2; ++second) {
                const int column = d * 16 + second * 8 + lane % 4 * 2;
                q[d][second * 2 + half] =
                    h < ratio ? __ldcg(reinterpret_cast<const uint32_t*>(from + column)) : 0;
            }
        }
    }
}

// What a warp has seen so far of up to sixteen heads; a thread has lane / 4 and eight further on.
template <class T, int Dim>
struct Running {
    float highest[2] = {-INFINITY, -INFINITY};
    float total[2] = {0, 0};
    float sum[Dim / 8][4] = {};

    __device__ void take(const uint32_t (&q)[Dim / 16][4], const T* k, const T* v, int first_key,
                         int keys, float scale_log2) {
        float scores[2][4] = {};
        score(q, k, threadIdx.x % 32, scores);
        weigh(first_key, keys, scale_log2, scores);
        add_values(scores, v);
    }

    __device__ static void score(const uint32_t (&q)[Dim / 16][4], const T* k, int lane,
                                 float (&scores)[2][4]) {
        const T* const row = k + (lane / 16 * 8 + lane % 8) * pitch<Dim>() + lane / 8 % 2 * 8;
#pragma unroll
        for (int d = 0; d < Dim / 16; ++d) {
            uint32_t right[4];
            device::load_matrices(right, row + d * 16);
            device::mma<T>(scores[0], q[d], right[0], right[1]);
            device::mma<T>(scores[1], q[d], right[2], right[3]);
        }
    }

    // A tile has a key at least, so the new maximum is never minus infinity for want of one.
    __device__ void weigh(int first_key, int keys, float scale_log2, float (&scores)[2][4]) {
        const int key_0 = first_key + threadIdx.x % 4 * 2;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float most = highest[half];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float& score = scores[i / 2][half * 2 + i % 2];
                score = key_0 + i / 2 * 8 + i % 2 < keys ? score * scale_log2 : -INFINITY;
                most = fmaxf(most, score);
            }
            most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
            most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
            const float shrink = exp2f(highest[half] - most);
            highest[half] = most;
            total[half] *= shrink;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float& score = scores[i / 2][half * 2 + i % 2];
                score = exp2f(score - most);
                total[half] += score;
            }
#pragma unroll
            for (int d = 0; d < Dim / 8; ++d) {
                sum[d][half * 2] *= shrink;
                sum[d][half * 2 + 1] *= shrink;
            }
        }
    }

    __device__ void add_values(const float (&weights)[2][4], const T* v) {
        const int lane = threadIdx.x % 32;
        const uint32_t left[4] = {device::pack<T>(weights[0][0], weights[0][1]),
                                  device::pack<T>(weights[0][2], weights[0][3]),
                                  device::pack<T>(weights[1][0], weights[1][1]),
                                  device::pack<T>(weights[1][2], weights[1][3])};
        const T* const row = v + lane % 16 * pitch<Dim>() + lane / 16 * 8;
#pragma unroll
        for (int d = 0; d < Dim / 16; ++d) {
            uint32_t right[4];
            device::load_matrices_transposed(right, row + d * 16);
            device::mma<T>(sum[2 * d], left, right[0], right[1]);
            device::mma<T>(sum[2 * d + 1], left, right[2], right[3]);
        }
    }
};

}  // namespace lockstep::fused
