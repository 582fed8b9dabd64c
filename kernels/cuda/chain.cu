// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/chain.h"

#include <algorithm>
#include <cstring>

#include "kernels/cuda/chain_attention.cuh"
#include "kernels/cuda/chain_product.cuh"
#include "kernels/cuda/launch.cuh"

namespace lockstep::fused {
namespace {

struct Links {
    unsigned* turns;          // [2]: the tag that the next launch begins with, blocks that are done
    const int32_t* position;  // null: no link has one
    int count, stages, row_bytes;
    const Link* table;  // in device memory; null: there is one link
    Link only;
};

static_assert(sizeof(Link) % 4 == 0);
constexpr int link_words = sizeof(Link) / 4;
constexpr int threads = multiplying_threads + copying_warps * 32;
constexpr int kept_floats = most_sums + 2 * multiplying_threads;

// The last block of all leaves the tag for the next launch.
__device__ void finish(unsigned* turns, int links) {
    if (atomicAdd(turns + 1, 1U) != gridDim.x - 1) return;
    turns[0] += static_cast<unsigned>(links);
    turns[1] = 0;
}

// By a copying warp. A link's description is fetched while the one before it is streamed.
template <class T, int Dim>
__device__ void stream_links(const uint32_t* words, int links, const int32_t* position, Link& ahead,
                             const Ring& ring) {
    constexpr int each = (link_words + 31) / 32;
    const int lane = threadIdx.x % 32, rows_before = position ? __ldcg(position) : 0;
    Copier copier{ring, {}, static_cast<int>(threadIdx.x) / 32 - multiplying_warps};
    uint32_t word[each];
    const auto fetch = [&](int link) {
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const int at = i * 32 + lane;
            if (at < link_words) word[i] = words[link * link_words + at];
        }
    };
    fetch(0);
    for (int link = 0; link < links; ++link) {
        __syncwarp();
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const int at = i * 32 + lane;
            if (at < link_words) reinterpret_cast<uint32_t*>(&ahead)[at] = word[i];
        }
        __syncwarp();
        if (link + 1 < links) fetch(link + 1);
        if (ahead.kind == Link::Kind::attention) {
            stream_attention<T, Dim>(ahead.attention, rows_before, copier);
        } else {
            stream_product<T>(ahead, copier);
        }
    }
}

template <class T, int Dim>
__global__ __launch_bounds__(threads, 1) void chain_kernel(const __grid_constant__ Links links) {
#if __CUDA_ARCH__ >= 900
    extern __shared__ uint4 shared[];
    __shared__ Link near[2], ahead[copying_warps];
    auto* const memory = reinterpret_cast<unsigned char*>(shared);
    unsigned char* const x = memory + links.stages * stage_bytes;
    float* const sums = reinterpret_cast<float*>(x + zero_bytes + links.row_bytes);
    auto* const barriers = reinterpret_cast<uint64_t*>(sums + kept_floats);
    const Ring ring{memory, barriers, barriers + links.stages, links.stages};
    const Link* const all = links.table ? links.table : &links.only;
    const auto* const words = reinterpret_cast<const uint32_t*>(all);
    auto* const near_words = reinterpret_cast<uint32_t*>(near);
    if (threadIdx.x == 0) ring.prepare();
    if (threadIdx.x < zero_bytes / 4) reinterpret_cast<uint32_t*>(x)[threadIdx.x] = 0;
    if (static_cast<int>(threadIdx.x) < link_words) near_words[threadIdx.x] = words[threadIdx.x];
    __syncthreads();
    device::let_next_kernel_begin();
    // Weights are nobody's output, and the position comes by a copy: these warps need not wait.
    if (threadIdx.x >= multiplying_threads) {
        stream_links<T, Dim>(words, links.count, links.position,
                             ahead[threadIdx.x / 32 - multiplying_warps], ring);
        return;
    }
    Place place;
    device::wait_for_kernel_before();
    const ChainMemory room{x, sums, sums + most_sums};
    const uint32_t first_tag = __ldcg(links.turns) + 1;
    const int position = links.position ? __ldcg(links.position) : 0;
    for (int i = 0; i < links.count; ++i) {
        const Link& link = near[i % 2];
        const Turn turn{i, first_tag + static_cast<uint32_t>(i), position};
        // The next link's description is fetched meanwhile: from where it lies it is slow to read.
        const bool fetches = static_cast<int>(threadIdx.x) < link_words && i + 1 < links.count;
        uint32_t word = 0;
        if (fetches) word = words[(i + 1) * link_words + threadIdx.x];
        const auto fetch = [&] {
            if (fetches) near_words[(i + 1) % 2 * link_words + threadIdx.x] = word;
        };
        if (link.kind == Link::Kind::attention) {
            do_attention<T, Dim>(link.attention, turn, ring, place, sums, fetch);
        } else if (link.product.norm) {
            do_product<T, true>(link, turn, ring, place, room, fetch);
        } else {
            do_product<T, false>(link, turn, ring, place, room, fetch);
        }
    }
    meet();
    if (threadIdx.x == 0) finish(links.turns, links.count);
#endif
}

size_t bytes_beside_ring(int row_bytes) {
    return zero_bytes + static_cast<size_t>(row_bytes) + kept_floats * sizeof(float);
}

template <class T>
using Kernel = void (*)(Links);

template <class T>
Kernel<T> kernel_for(int dim) {
    switch (dim) {
        case 32:
            return chain_kernel<T, 32>;
        case 80:
            return chain_kernel<T, 80>;
        case 96:
            return chain_kernel<T, 96>;
        case 128:
            return chain_kernel<T, 128>;
        default:
            return chain_kernel<T, 64>;
    }
}

const int32_t* position_of(const Link& link) {
    return link.kind == Link::Kind::attention ? link.attention.position
           : link.kind == Link::Kind::heads   ? link.product.position
                                              : nullptr;
}

// 8 MiB; 24 layers of the 0.5B shape take one.
constexpr size_t most_exchange_words = size_t{1} << 20;
constexpr size_t exchange_head = 256;

// Of what a link puts out, to a whole 16 bytes.
size_t exchange_words(const Link& link) {
    const int words = link.kind == Link::Kind::attention
                          ? link.attention.groups * link.attention.ratio * link.attention.dim / 2
                          : link.product.units / link.product.word_units;
    return (static_cast<size_t>(words) + 1) / 2 * 2;
}

// What a link after these reads comes from the one before it; and a residual from none of them or
// from where the same thread has put it. All that our seven steps make in their order does.
bool follows(const Link& link, const std::vector<Link>& links) {
    const Link& before = links.back();
    if (link.kind == Link::Kind::attention) {
        const AttentionLink& a = link.attention;
        const ProductLink& p = before.product;
        return before.kind == Link::Kind::heads && p.out[0] == a.q && p.out[1] == a.k &&
               p.out[2] == a.v && p.dim == a.dim && p.first_k == a.groups * a.ratio &&
               p.first_v == p.first_k + a.groups && p.head_stride[0] == a.q_stride;
    }
    const ProductLink& p = link.product;
    const bool attended = before.kind == Link::Kind::attention;
    if (attended ? before.attention.attn != p.x || exchange_words(before) * 2 < size_t(p.depth)
                 : before.kind == Link::Kind::heads || before.product.out[0] != p.x ||
                       before.product.units != p.depth)
        return false;
    return std::all_of(links.begin(), links.end(), [&](const Link& other) {
        if (!p.residual || other.kind == Link::Kind::attention) return true;
        const bool same = other.kind == Link::Kind::add && other.product.units == p.units;
        const auto* const outs = other.product.out;
        return same || std::find(outs, outs + 3, p.residual) == outs + 3;
    });
}

}  // namespace

int row_bytes(const Link& link) {
    if (link.kind == Link::Kind::attention) return 0;
    const int parts = link.product.norm ? normed_parts : 1;
    return (parts * part_bytes(link.product.depth) + 127) / 128 * 128;
}

int least_stages(const Link& link) {
    return link.kind == Link::Kind::attention ? link.attention.stages : 4;
}

int stages_beside(int row_bytes, const CudaStream& stream) {
    const size_t all = stream.shared_bytes() - 2048;  // the kernel's own arrays, and some air
    const size_t beside = bytes_beside_ring(row_bytes);
    constexpr size_t barriers = 2 * sizeof(uint64_t);
    return beside >= all ? 0 : static_cast<int>((all - beside) / (stage_bytes + barriers));
}

Status add_link(const Link& link, DType dtype, CudaStream& stream) {
    return stream.state<Chain>().add(link, dtype);
}

bool Chain::takes(const Link& link, DType dtype) const {
    if (links_.empty()) return true;
    if (dtype != dtype_) return false;
    if (link.kind == Link::Kind::attention && dim() != 0 && link.attention.dim != dim())
        return false;
    int row = row_bytes(link), stages = least_stages(link);
    size_t words = exchange_words(link);
    for (const Link& other : links_) {
        row = std::max(row, row_bytes(other));
        stages = std::max(stages, least_stages(other));
        words += exchange_words(other);
    }
    return stages <= stages_beside(row, stream_) && words <= most_exchange_words &&
           follows(link, links_);
}

Status Chain::add(const Link& link, DType dtype) {
    if (!stream_.holds()) links_.clear();  // of a record that failed
    if (!takes(link, dtype)) {
        LOCKSTEP_TRY(stream_.release_held());
        links_.clear();
    }
    links_.push_back(link);
    dtype_ = dtype;
    if (!stream_.recording()) return launch();
    stream_.hold([this] { return launch(); });
    return {};
}

int Chain::dim() const {
    for (const Link& link : links_) {
        if (link.kind == Link::Kind::attention) return link.attention.dim;
    }
    return 0;
}

void Chain::connect(uint64_t* exchange) {
    for (size_t i = 0; i < links_.size(); ++i) {
        Link& link = links_[i];
        const bool is_first = i == 0, is_last = i + 1 == links_.size();
        const uint64_t* const before = is_first ? nullptr : exchange;
        if (!is_first) exchange += exchange_words(links_[i - 1]);
        uint64_t* const own = is_last ? nullptr : exchange;
        if (link.kind == Link::Kind::attention) {
            link.attention.x_exchange = before;
            link.attention.out_exchange = own;
        } else {
            link.product.x_exchange = before;
            link.product.out_exchange = own;
        }
    }
}

Status Chain::launch() {
    LOCKSTEP_ASSIGN(
        void* const exchange,
        stream_.room(CudaStream::exchange, most_exchange_words * sizeof(uint64_t) + exchange_head));
    connect(reinterpret_cast<uint64_t*>(static_cast<char*>(exchange) + exchange_head));
    Links links{};
    links.turns = static_cast<unsigned*>(exchange);
    links.count = static_cast<int>(links_.size());
    for (const Link& link : links_) {
        links.row_bytes = std::max(links.row_bytes, row_bytes(link));
        if (const int32_t* const position = position_of(link)) links.position = position;
    }
    links.only = links_.front();
    if (links_.size() > 1) {
        links.table = static_cast<const Link*>(
            stream_.keep_with_record(links_.data(), links_.size() * sizeof(Link)));
        if (!links.table) return fail(ErrorKind::internal, "a record has no room for its links");
    }
    links.stages = stages_beside(links.row_bytes, stream_);
    Grid grid;
    grid.blocks = static_cast<unsigned>(stream_.multiprocessors());
    grid.threads = threads;
    grid.shared_bytes =
        static_cast<size_t>(links.stages) * (stage_bytes + 16) + bytes_beside_ring(links.row_bytes);
    grid.together = true;
    return with_half_type(dtype_, [&]<class T>(T) {
        return lockstep::launch("fused chain", kernel_for<T>(dim()), grid, stream_, links);
    });
}

}  // namespace lockstep::fused
