// SPDX-License-Identifier: GPL-3.0-or-later
// What the products of bf16 rows with bf16 weights share, for instructions that Highway 1.0.3 does
// not have.
#pragma once

#include "kernels/cpu/fused_kernels.h"

#if defined(__x86_64__) && defined(__linux__)
#define LOCKSTEP_X86 1
#if !defined(__clang__)
// GCC 12 warns of the header's own "undefined" vectors (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

// By function rather than by file: what the standard headers inline must run on any CPU.
#define LOCKSTEP_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define LOCKSTEP_AVX512_INLINE LOCKSTEP_AVX512 inline __attribute__((always_inline))

namespace lockstep {

// As long as it is there, this thread's additions and multiplications take subnormals as zeros and
// give zeros for them, as the dot products of bf16 do.
struct FlushSubnormals {
    const unsigned before = _mm_getcsr();
    FlushSubnormals() { _mm_setcsr(before | _MM_FLUSH_ZERO_ON | 0x40 /* denormals are zeros */); }
    ~FlushSubnormals() { _mm_setcsr(before); }
    FlushSubnormals(const FlushSubnormals&) = delete;
    FlushSubnormals& operator=(const FlushSubnormals&) = delete;
};

// Elements 0, 2, .. of 32, as floats, and elements 1, 3, ..
LOCKSTEP_AVX512_INLINE __m512 even_of(__m512i pairs) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}
LOCKSTEP_AVX512_INLINE __m512 odd_of(__m512i pairs) {
    return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(int(0xffff0000))));
}
// 32 elements, of which `count` are there and the others are zero.
LOCKSTEP_AVX512_INLINE __m512i load_part(const uint16_t* p, int64_t count) {
    return count >= 32 ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi16((1u << count) - 1, p);
}

}  // namespace lockstep
#else
#define LOCKSTEP_X86 0
#endif
