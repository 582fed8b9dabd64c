// SPDX-License-Identifier: GPL-3.0-or-later
// Plain loops, compiled for the baseline, AVX2 and AVX-512, and run as the machine's best. Where
// the file is compiled with -ffp-contract=off, each gives the same bits.
#pragma once

namespace lockstep {

enum class CpuTarget { baseline, avx2, avx512 };

inline CpuTarget best_cpu_target() {
#if defined(__x86_64__)
    static const CpuTarget best = [] {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
            return CpuTarget::avx512;
        return __builtin_cpu_supports("avx2") ? CpuTarget::avx2 : CpuTarget::baseline;
    }();
    return best;
#else
    return CpuTarget::baseline;
#endif
}

#if defined(__x86_64__)
template <class Body>
__attribute__((target("avx2"), noinline)) void with_avx2(const Body& body) {
    body();
}
// GCC would use half of a vector otherwise; clang does not know the word.
#if defined(__clang__)
#define LOCKSTEP_AVX512 "avx512f,avx512bw,avx512vl,avx512dq"
#else
#define LOCKSTEP_AVX512 "avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512"
#endif
template <class Body>
__attribute__((target(LOCKSTEP_AVX512), noinline)) void with_avx512(const Body& body) {
    body();
}
#undef LOCKSTEP_AVX512
#endif

// body must be [&]() __attribute__((always_inline)) { ... }, and small functions that it calls are
// inlined into it.
template <class Body>
void on_best_target(const Body& body) {
#if defined(__x86_64__)
    const CpuTarget target = best_cpu_target();
    if (target == CpuTarget::avx512) return with_avx512(body);
    if (target == CpuTarget::avx2) return with_avx2(body);
#endif
    body();
}

}  // namespace lockstep
