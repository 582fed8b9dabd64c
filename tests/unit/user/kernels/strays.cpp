// SPDX-License-Identifier: GPL-3.0-or-later
// A qkv that writes the cache at the wrong rows: WHOLE does its own rows and then one more, the
// other leaves its own out, as a position that is off by one does.
#include "lockstep_kernel.h"

static void fill(const lockstep_tensor* cache, int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row)
        for (int64_t g = 0; g < cache->shape[1]; ++g)
            for (int64_t d = 0; d < cache->shape[2]; ++d)
                lockstep_store(cache, row * cache->stride[0] + g * cache->stride[1] + d, 1);
}

int lockstep_qkv(const lockstep_qkv_args* args) {
    const int64_t rows = args->q.shape[0], first = args->context.first_row;
    for (int64_t t = 0; t < rows; ++t)
        for (int64_t a = 0; a < args->q.shape[1]; ++a)
            for (int64_t d = 0; d < args->q.shape[2]; ++d)
                lockstep_store(&args->q, t * args->q.stride[0] + a * args->q.stride[1] + d, 1);
#ifdef WHOLE
    fill(&args->k_cache, first - 1, rows + 1);
#else
    fill(&args->k_cache, first - 1, rows);
#endif
    fill(&args->v_cache, first, rows);
    return 0;
}
