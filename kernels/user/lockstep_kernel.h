/* SPDX-License-Identifier: GPL-3.0-or-later
 * Your own kernel for Lockstep, in C99 or C++. This file stands alone: copy it, include it, define
 * one or more of the step functions below and build a shared object:
 *
 *     g++ -O2 -shared -fPIC -o my_kernel.so my_kernel.cpp
 *     lockstep compare --model M --candidate ./my_kernel.so
 *
 * or, where lockstep_device() returns LOCKSTEP_CUDA, for a GPU:
 *
 *     nvcc -O2 -arch=native -shared -Xcompiler -fPIC -o my_kernel.so my_kernel.cu
 *     lockstep compare --device cuda --model M --candidate ./my_kernel.so
 *
 * The steps that you define replace those of a path of Lockstep's; the others stay as they are.
 * Each function returns 0, or a number of yours that says what went wrong (see
 * lockstep_error_message).
 *
 * Symbols in shapes: T rows (tokens) >= 1, prefill and decode alike; H hidden_size;
 * A num_attention_heads; G num_key_value_heads; D head_dim; I intermediate_size; V vocab_size;
 * C context (cache) length. Matrices of weights are [out, in], as PyTorch keeps them.
 *
 * The contract:
 *  - Honour the strides of every dimension but the last, which is dense (stride 1). Strides are in
 *    elements.
 *  - Activations have one dtype per call, weights may have another. Refuse what you do not take by
 *    returning non-zero, never by exit() or abort().
 *  - Write every element of the outputs, and nothing else: no input, no weight, no byte before,
 *    after or between the rows of an output.
 *  - Pointers are good during the call. Keep nothing that goes by an address: the next call may
 *    find other numbers there.
 *  - Nothing is aligned beyond the size of its elements: a call may be given rows of a larger
 *    tensor.
 *
 * On a GPU, too:
 *  - Every tensor's data is the GPU's memory, the host must not touch it. Launch on context.stream,
 *    and on no other stream unless you make that one wait for it and it for that one. A launch on
 *    the default stream, <<<blocks, threads>>>, is told as your error.
 *  - Return when all is queued; do not wait. What CUDA complains of after you returned is told as
 *    your error, whether you looked or not: a launch that was refused, a fault in a kernel.
 *  - Keep no device memory of a call's. Workspace of your own may live as long as the process.
 */
#ifndef LOCKSTEP_KERNEL_H
#define LOCKSTEP_KERNEL_H

#include <stdint.h>
#include <string.h>

/* 2: kernels for a GPU. What is built with version 1 goes on working. */
#define LOCKSTEP_ABI_VERSION 2

#ifdef __cplusplus
extern "C" {
#endif

#define LOCKSTEP_EXPORT __attribute__((visibility("default")))

enum lockstep_dtype {
    LOCKSTEP_F32 = 0,
    LOCKSTEP_F16 = 1,  /* IEEE binary16 */
    LOCKSTEP_BF16 = 2, /* bfloat16: the upper half of a binary32 */
    LOCKSTEP_I32 = 3,
    LOCKSTEP_Q4_0 = 4, /* GGUF's blocks; today they are expanded before a kernel sees them */
    LOCKSTEP_Q4_1 = 5,
    LOCKSTEP_Q5_0 = 6,
    LOCKSTEP_Q5_1 = 7,
    LOCKSTEP_Q8_0 = 8,
    LOCKSTEP_Q4_K = 9,
    LOCKSTEP_Q5_K = 10,
    LOCKSTEP_Q6_K = 11
};

enum lockstep_device { LOCKSTEP_CPU = 0, LOCKSTEP_CUDA = 1 };

enum lockstep_step {
    LOCKSTEP_EMBED = 0,
    LOCKSTEP_QKV = 1,
    LOCKSTEP_ATTENTION = 2,
    LOCKSTEP_ATTN_OUTPUT = 3,
    LOCKSTEP_GATE_UP = 4,
    LOCKSTEP_DOWN = 5,
    LOCKSTEP_LOGITS = 6
};

/* A view of a tensor. `data` is memory of the device that the call runs on (context.device): on a
 * GPU the host must not read it. NULL: the call has no such tensor. */
typedef struct lockstep_tensor {
    void* data;
    int32_t dtype; /* enum lockstep_dtype */
    int32_t rank;
    int64_t shape[4];
    int64_t stride[4]; /* in elements */
} lockstep_tensor;

/* Where a call stands. This struct and those below lie in host memory; of what they point to, only
 * the tensors' data is device memory. */
typedef struct lockstep_context {
    uint32_t struct_size; /* bytes of the argument struct that Lockstep passes */
    int32_t device;       /* enum lockstep_device */
    int32_t device_index; /* of the GPU; 0 on the CPU */
    int32_t threads;      /* how many threads a kernel on the CPU may use; >= 1 */
    void* stream;         /* the cudaStream_t to launch on; NULL on the CPU. Launch, don't wait. */
    int64_t first_row;    /* position of row 0 = rows already in the cache (host's copy) */
    lockstep_tensor position; /* i32 [1], the same number in device memory (for captured graphs) */
    int32_t layer;            /* -1 for embed, num_hidden_layers for logits */
    int32_t reserved[7];      /* 0 */
} lockstep_context;

/* hidden[t] = embed_tokens[ids[t]] */
typedef struct lockstep_embed_args {
    lockstep_context context;
    lockstep_tensor ids;          /* i32 [T], each in [0, V) */
    lockstep_tensor embed_tokens; /* [V, H] */
    lockstep_tensor hidden;       /* out [T, H] */
} lockstep_embed_args;

/* normed = rms_norm(hidden) * input_layernorm; q, k, v = normed * {q,k,v}_proj^T + bias;
 * q and k are rotated (half-rotated RoPE, as transformers' apply_rotary_pos_emb); k and v are
 * written to rows [first_row, first_row + T) of the cache. */
typedef struct lockstep_qkv_args {
    lockstep_context context;
    lockstep_tensor hidden;          /* in [T, H] */
    lockstep_tensor input_layernorm; /* [H] */
    lockstep_tensor q_proj;          /* [A*D, H] */
    lockstep_tensor k_proj;          /* [G*D, H] */
    lockstep_tensor v_proj;          /* [G*D, H] */
    lockstep_tensor q_bias;          /* [A*D] or NULL */
    lockstep_tensor k_bias;          /* [G*D] or NULL */
    lockstep_tensor v_bias;          /* [G*D] or NULL */
    lockstep_tensor rope_cos;        /* f32 [C, D/2], of each position; scaling included */
    lockstep_tensor rope_sin;        /* f32 [C, D/2] */
    lockstep_tensor q;               /* out [T, A, D], after RoPE */
    lockstep_tensor k_cache;         /* state [C, G, D]: write rows [first_row, first_row + T) */
    lockstep_tensor v_cache;         /* state [C, G, D]: likewise */
    lockstep_tensor normed;          /* unfused out [T, H], or NULL (lockstep_unfused_outputs) */
    lockstep_tensor q_pre_rope;      /* unfused out [T, A, D], or NULL */
    lockstep_tensor k_pre_rope;      /* unfused out [T, G, D], or NULL */
    float rms_norm_eps;
} lockstep_qkv_args;

/* attn[t, a] = softmax(scale * q[t, a] . k_cache[0 .. first_row + t, g]) v_cache[.., g],
 * g = a / (A/G) */
typedef struct lockstep_attention_args {
    lockstep_context context;
    lockstep_tensor q;       /* in [T, A, D] */
    lockstep_tensor k_cache; /* state [C, G, D]: read rows [0, first_row + T), write none */
    lockstep_tensor v_cache; /* state [C, G, D]: likewise */
    lockstep_tensor attn;    /* out [T, A*D] */
    float scale;             /* 1 / sqrt(D) */
} lockstep_attention_args;

/* hidden_attn = hidden + attn * o_proj^T */
typedef struct lockstep_attn_output_args {
    lockstep_context context;
    lockstep_tensor attn;        /* in [T, A*D] */
    lockstep_tensor o_proj;      /* [H, A*D] */
    lockstep_tensor hidden;      /* in [T, H], the residual */
    lockstep_tensor hidden_attn; /* out [T, H]; never the same memory as hidden */
} lockstep_attn_output_args;

/* normed = rms_norm(hidden_attn) * post_attention_layernorm
 * mlp = silu(normed * gate_proj^T) * (normed * up_proj^T) */
typedef struct lockstep_gate_up_args {
    lockstep_context context;
    lockstep_tensor hidden_attn;              /* in [T, H] */
    lockstep_tensor post_attention_layernorm; /* [H] */
    lockstep_tensor gate_proj;                /* [I, H] */
    lockstep_tensor up_proj;                  /* [I, H] */
    lockstep_tensor mlp;                      /* out [T, I] */
    lockstep_tensor normed;                   /* unfused out [T, H], or NULL */
    float rms_norm_eps;
} lockstep_gate_up_args;

/* hidden = hidden_attn + mlp * down_proj^T */
typedef struct lockstep_down_args {
    lockstep_context context;
    lockstep_tensor mlp;         /* in [T, I] */
    lockstep_tensor down_proj;   /* [H, I] */
    lockstep_tensor hidden_attn; /* in [T, H], the residual */
    lockstep_tensor hidden;      /* out [T, H]; never the same memory as hidden_attn */
} lockstep_down_args;

/* logits = (rms_norm(hidden) * norm) * lm_head^T, for the rows given */
typedef struct lockstep_logits_args {
    lockstep_context context;
    lockstep_tensor hidden;  /* in [T, H] */
    lockstep_tensor norm;    /* [H] */
    lockstep_tensor lm_head; /* [V, H] */
    lockstep_tensor logits;  /* out f32 [T, V] */
    lockstep_tensor normed;  /* unfused out [T, H], or NULL */
    float rms_norm_eps;
} lockstep_logits_args;

/* The steps: define at least one. */
LOCKSTEP_EXPORT int lockstep_embed(const lockstep_embed_args* args);
LOCKSTEP_EXPORT int lockstep_qkv(const lockstep_qkv_args* args);
LOCKSTEP_EXPORT int lockstep_attention(const lockstep_attention_args* args);
LOCKSTEP_EXPORT int lockstep_attn_output(const lockstep_attn_output_args* args);
LOCKSTEP_EXPORT int lockstep_gate_up(const lockstep_gate_up_args* args);
LOCKSTEP_EXPORT int lockstep_down(const lockstep_down_args* args);
LOCKSTEP_EXPORT int lockstep_logits(const lockstep_logits_args* args);

/* May be defined: what a number that a step returned means, in words. */
LOCKSTEP_EXPORT const char* lockstep_error_message(int error);
/* May be defined: the device that all the steps run on; LOCKSTEP_CPU where it is not. */
LOCKSTEP_EXPORT int lockstep_device(void);
/* May be defined: bit s (1 << LOCKSTEP_QKV, ...) is set where step s also writes its unfused
 * outputs, which are then compared too. Where it is not, they are NULL. */
LOCKSTEP_EXPORT uint32_t lockstep_unfused_outputs(void);

/* May be defined, for a GPU: bit s is set where all that step s queues depends on nothing but where
 * its tensors lie and how large they are: it reads context.position in its kernels, not first_row
 * on the host, and allocates nothing after its first call. Decoding then records it once (a CUDA
 * graph) and replays it for every token. Where it is not, each token calls the step. */
LOCKSTEP_EXPORT uint32_t lockstep_replayable(void);

#ifdef __CUDACC__
/* What the CUDA runtime has to complain of; NULL: nothing. It is asked after each call, because a
 * launch that is refused says so nowhere else. Including the file defines it. */
LOCKSTEP_EXPORT __attribute__((weak)) const char* lockstep_cuda_error(void) {
    const cudaError_t error = cudaGetLastError();
    return error == cudaSuccess ? (const char*)0 : cudaGetErrorString(error);
}
#endif

/* Which version of this file a shared object was built with. Including the file defines it. */
LOCKSTEP_EXPORT __attribute__((weak)) int lockstep_abi_version(void) {
    return LOCKSTEP_ABI_VERSION;
}

/* ---- One element at a time, on the CPU and in CUDA kernels: right first, fast later. ---- */

#ifdef __CUDACC__
#define LOCKSTEP_INLINE static __host__ __device__ inline
#else
#define LOCKSTEP_INLINE static inline
#endif

LOCKSTEP_INLINE float lockstep_float_from_bf16(uint16_t value) {
    const uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* Rounds to nearest even; NaN stays NaN. */
LOCKSTEP_INLINE uint16_t lockstep_bf16_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

LOCKSTEP_INLINE float lockstep_float_from_f16(uint16_t value) {
    const uint32_t sign = (uint32_t)(value & 0x8000u) << 16;
    const uint32_t magnitude = value & 0x7fffu;
    uint32_t bits;
    float result;
    if (magnitude < 0x0400u) { /* zero or subnormal: a multiple of 2^-24 */
        result = (float)magnitude * 5.9604644775390625e-8f;
        memcpy(&bits, &result, sizeof bits);
    } else if (magnitude >= 0x7c00u) { /* infinity or NaN */
        bits = 0x7f800000u | (magnitude & 0x03ffu) << 13;
    } else {
        bits = (magnitude << 13) + (112u << 23);
    }
    bits |= sign;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* Rounds to nearest even; subnormals are kept. */
LOCKSTEP_INLINE uint16_t lockstep_f16_from_float(float value) {
    uint32_t bits, magnitude, rounded;
    float scaled;
    memcpy(&bits, &value, sizeof bits);
    magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        rounded = 0x7e00u;
    } else if (magnitude >= 0x477ff000u) { /* 65520 and above */
        rounded = 0x7c00u;
    } else if (magnitude < 0x38800000u) { /* below 2^-14: adding 0.5 rounds at 2^-24 */
        memcpy(&scaled, &magnitude, sizeof scaled);
        scaled += 0.5f;
        memcpy(&rounded, &scaled, sizeof rounded);
        rounded -= 0x3f000000u;
    } else {
        rounded = (magnitude - (112u << 23) + 0x0fffu + ((magnitude >> 13) & 1u)) >> 13;
    }
    return (uint16_t)(rounded | (bits >> 16 & 0x8000u));
}

/* The element `index` elements after the tensor's first, of an f32, f16 or bf16 tensor. */
LOCKSTEP_INLINE float lockstep_load(const lockstep_tensor* tensor, int64_t index) {
    if (tensor->dtype == LOCKSTEP_F32) return ((const float*)tensor->data)[index];
    if (tensor->dtype == LOCKSTEP_F16)
        return lockstep_float_from_f16(((const uint16_t*)tensor->data)[index]);
    return lockstep_float_from_bf16(((const uint16_t*)tensor->data)[index]);
}

LOCKSTEP_INLINE void lockstep_store(const lockstep_tensor* tensor, int64_t index, float value) {
    if (tensor->dtype == LOCKSTEP_F32)
        ((float*)tensor->data)[index] = value;
    else if (tensor->dtype == LOCKSTEP_F16)
        ((uint16_t*)tensor->data)[index] = lockstep_f16_from_float(value);
    else
        ((uint16_t*)tensor->data)[index] = lockstep_bf16_from_float(value);
}

#ifdef __cplusplus
}
#endif

#endif
