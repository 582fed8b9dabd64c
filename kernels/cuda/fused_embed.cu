// SPDX-License-Identifier: GPL-3.0-or-later
// embed: rows of the table as they are. An id outside the table leaves NaN, so that it is seen.
#include <cmath>

#include "kernels/cuda/chain.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/launch.cuh"

namespace lockstep::fused {
namespace {

template <class T>
__global__ void embed_kernel(const T* table, int64_t table_stride, int64_t vocab_size,
                             const int32_t* ids, T* hidden, int64_t hidden_stride, int columns) {
    device::let_next_kernel_begin();
    device::wait_for_kernel_before();
    const int64_t id = ids[blockIdx.y];
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= columns) return;
    const bool known = id >= 0 && id < vocab_size;
    hidden[blockIdx.y * hidden_stride + i] =
        known ? table[id * table_stride + i] : device::from_float<T>(NAN);
}

}  // namespace

Status embed(const EmbedArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    if (const auto link = link_of(args, stream)) return add_link(*link, args.hidden.dtype, stream);
    const int64_t columns = args.hidden.shape[1];
    Grid grid;
    grid.blocks = dim3(blocks_for(columns, 256), static_cast<unsigned>(args.ids.shape[0]));
    grid.overlaps = true;
    return with_type(args.hidden.dtype, [&]<class T>(T) {
        return launch("fused embed", embed_kernel<T>, grid, stream, args.embed_tokens.as<const T>(),
                      args.embed_tokens.stride[0], args.embed_tokens.shape[0],
                      args.ids.as<const int32_t>(), args.hidden.as<T>(), args.hidden.stride[0],
                      columns);
    });
}

}  // namespace lockstep::fused
