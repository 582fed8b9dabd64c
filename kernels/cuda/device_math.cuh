// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernels share on the device: the element types and their conversions, 16-byte loads,
// sums over a warp and a block, tensor-core fragments, and waiting for the kernel before.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

namespace lockstep::device {

using bf16 = __nv_bfloat16;
using f16 = __half;

template <class T>
__device__ __forceinline__ float to_float(T value) {
    return static_cast<float>(value);
}
template <class T>
__device__ __forceinline__ T from_float(float value);
template <>
__device__ __forceinline__ float from_float<float>(float value) {
    return value;
}
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float value) {
    return __float2bfloat16_rn(value);
}
template <>
__device__ __forceinline__ f16 from_float<f16>(float value) {
    return __float2half_rn(value);
}
// The value after a store in T.
template <class T>
__device__ __forceinline__ float rounded(float value) {
    return to_float(from_float<T>(value));
}

// Two values of a 16-bit type in one register.
template <class T>
__device__ __forceinline__ uint32_t pack(float low, float high);
template <>
__device__ __forceinline__ uint32_t pack<bf16>(float low, float high) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&both);
}
template <>
__device__ __forceinline__ uint32_t pack<f16>(float low, float high) {
    const __half2 both = __floats2half2_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&both);
}
template <class T>
__device__ __forceinline__ float2 unpack(uint32_t both);
template <>
__device__ __forceinline__ float2 unpack<bf16>(uint32_t both) {
    return {__uint_as_float(both << 16), __uint_as_float(both & 0xffff0000u)};
}
template <>
__device__ __forceinline__ float2 unpack<f16>(uint32_t both) {
    return __half22float2(*reinterpret_cast<const __half2*>(&both));
}

// Eight consecutive elements, on a 16-byte border, in registers.
template <class T>
struct Eight {
    static constexpr int words = static_cast<int>(sizeof(T)) * 2;
    uint32_t word[words];
};

// Read once and not kept in L1: weights.
template <class T>
__device__ __forceinline__ Eight<T> load_streaming(const T* from) {
    Eight<T> eight;
#pragma unroll
    for (int i = 0; i < Eight<T>::words; i += 4) {
        asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(eight.word[i]), "=r"(eight.word[i + 1]), "=r"(eight.word[i + 2]),
                       "=r"(eight.word[i + 3])
                     : "l"(reinterpret_cast<const uint32_t*>(from) + i));
    }
    return eight;
}
// Of another kernel's output.
template <class T>
__device__ __forceinline__ Eight<T> load_eight(const T* from) {
    Eight<T> eight;
#pragma unroll
    for (int i = 0; i < Eight<T>::words; i += 4) {
        const uint4 four =
            *reinterpret_cast<const uint4*>(reinterpret_cast<const uint32_t*>(from) + i);
        eight.word[i] = four.x;
        eight.word[i + 1] = four.y;
        eight.word[i + 2] = four.z;
        eight.word[i + 3] = four.w;
    }
    return eight;
}
template <class T>
__device__ __forceinline__ void expand(const Eight<T>& eight, float (&value)[8]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        if constexpr (sizeof(T) == 4) {
            value[2 * i] = __uint_as_float(eight.word[2 * i]);
            value[2 * i + 1] = __uint_as_float(eight.word[2 * i + 1]);
        } else {
            const float2 two = unpack<T>(eight.word[i]);
            value[2 * i] = two.x;
            value[2 * i + 1] = two.y;
        }
    }
}

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}
__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    return value;
}

// Over all threads of a one-dimensional block; every thread gets it. `room`: 32 values of shared
// memory, which nothing else uses before the next barrier.
template <class Value, class Combine>
__device__ Value block_reduce(Value value, Value neutral, const Combine& combine, Value* room) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, offset));
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (lane == 0) room[warp] = value;
    __syncthreads();
    value = lane < (blockDim.x + 31) / 32 ? room[lane] : neutral;
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, offset));
    __syncthreads();
    return value;
}

// Programmatic dependent launch: this kernel may have begun while the one before still runs. Every
// kernel of ours waits before it touches what others write or read, so the order is a chain.
__device__ __forceinline__ void wait_for_kernel_before() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ __forceinline__ void let_next_kernel_begin() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// c [16, 8] += a [16, 16] b [8, 16]^T, sums in f32. Fragments as PTX's mma.m16n8k16 has them.
template <class T>
__device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                    uint32_t b1) {
    if constexpr (sizeof(T) == 2) {
        if constexpr (std::is_same_v<T, bf16>) {
            asm volatile(
                "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
                "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
        } else {
            asm volatile(
                "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
                "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
        }
    }
}

// In one of the warp's lanes; the compiler knows that it is one.
__device__ __forceinline__ bool is_elected() {
    uint32_t is = 0;
#if __CUDA_ARCH__ >= 900
    asm volatile(
        "{\n"
        ".reg .pred own;\n"
        "elect.sync _|own, 0xffffffff;\n"
        "selp.u32 %0, 1, 0, own;\n"
        "}\n"
        : "=r"(is));
#endif
    return is != 0;
}

__device__ __forceinline__ uint32_t shared_address(const void* memory) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(memory));
}
__device__ __forceinline__ void load_matrices(uint32_t (&four)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(four[0]), "=r"(four[1]), "=r"(four[2]), "=r"(four[3])
                 : "r"(shared_address(row)));
}
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&four)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(four[0]), "=r"(four[1]), "=r"(four[2]), "=r"(four[3])
                 : "r"(shared_address(row)));
}

// 16 bytes to shared memory, without a register; zeros where `bytes` is 0.
__device__ __forceinline__ void copy_16_async(void* to, const void* from, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                 "l"(from), "r"(bytes)
                 : "memory");
}
__device__ __forceinline__ void commit_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int Pending>
__device__ __forceinline__ void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

}  // namespace lockstep::device
