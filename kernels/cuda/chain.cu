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
    int count, stages, stage_bytes, row_bytes;
    const Link* table;  // in device memory; null: there is one link
    Link only;
};

static_assert(sizeof(Link) % 16 == 0 && sizeof(Link) <= 32 * 16);
constexpr int link_words = sizeof(Link) / 4;
constexpr int threads = multiplying_threads + copying_warps * 32;
// A link's sums and squares; and those of the link before.
constexpr int link_floats = most_rows * sums_pitch + multiplying_warps;
constexpr int kept_floats = 2 * link_floats;
static_assert(attention_floats <= kept_floats);

// The last block of all leaves the tag for the next launch.
__device__ void finish(unsigned* turns, int links) {
    if (atomicAdd(turns + 1, 1U) != gridDim.x - 1) return;
    turns[0] += static_cast<unsigned>(links);
    turns[1] = 0;
}

// The descriptions of the links to come, on their way into shared memory, some links ahead. By a
// copying warp.
class Coming {
  public:
    // slots: of the link that is streamed, of the one after it, and of those on their way.
    static constexpr int slots = 6;
    __device__ Coming(const Links& links, Link* memory)
        : from_(reinterpret_cast<const char*>(links.table)), count_(links.count), memory_(memory) {
        if (!from_) {
            for (int i = static_cast<int>(threadIdx.x) % 32; i < link_words; i += 32) {
                reinterpret_cast<uint32_t*>(memory)[i] =
                    reinterpret_cast<const uint32_t*>(&links.only)[i];
            }
        }
        for (int i = 0; i < on_their_way; ++i) ask(i);
    }
    __device__ const Link& at(int link) const { return memory_[link % slots]; }
    // Waits for this link, the next one. The one before the one before it is overwritten.
    __device__ void take(int link) {
        __syncwarp();
        ask(link + on_their_way);
        device::wait_for_copies<on_their_way>();
        __syncwarp();
    }

  private:
    static constexpr int on_their_way = slots - 2;

    __device__ void ask(int link) {
        const int at = static_cast<int>(threadIdx.x) % 32 * 16;
        if (from_ && link < count_ && at < static_cast<int>(sizeof(Link)))
            device::copy_16_async(reinterpret_cast<char*>(memory_ + link % slots) + at,
                                  from_ + link * sizeof(Link) + at, 16);
        device::commit_copies();
    }
    const char* from_;
    int count_;
    Link* memory_;
};

// By a copying warp. What a link reads is asked for before the link before it is streamed.
template <class T, int Dim>
__device__ void stream_links(const Links& links, Link* memory, const Ring& ring) {
    const int rows_before = links.position ? __ldcg(links.position) : 0;
    Copier copier{ring, {}, static_cast<int>(threadIdx.x) / 32 - multiplying_warps};
    Coming coming(links, memory);
    const auto ask = [&](int link) {
        if (link >= links.count) return;
        coming.take(link);
        const Link& next = coming.at(link);
        if (copier.warp != 0) return;
        if (next.kind == Link::Kind::attention) {
            ask_for_keys<T, Dim>(next.attention, rows_before);
        } else if (next.kind != Link::Kind::embed) {
            ask_for_product<T>(next);
        }
    };
    ask(0);
    for (int i = 0; i < links.count; ++i) {
        ask(i + 1);
        const Link& link = coming.at(i);
        if (link.kind == Link::Kind::attention) {
            stream_attention<T, Dim>(link.attention, rows_before, copier);
        } else if (link.kind != Link::Kind::embed) {
            stream_product<T>(link, copier);
        }
    }
}

template <class T, int Dim>
__device__ __forceinline__ void run_links(const Links& links) {
    extern __shared__ uint4 shared[];
    // The description of the link before is still being read while the next one is fetched.
    __shared__ Link near[3], coming[copying_warps][Coming::slots];
    auto* const memory = reinterpret_cast<unsigned char*>(shared);
    unsigned char* const x = memory + links.stages * links.stage_bytes;
    float* const sums = reinterpret_cast<float*>(x + zero_bytes + links.row_bytes);
    auto* const barriers = reinterpret_cast<uint64_t*>(sums + kept_floats);
    const Ring ring{memory, barriers, barriers + links.stages, links.stages, links.stage_bytes};
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
        stream_links<T, Dim>(links, coming[threadIdx.x / 32 - multiplying_warps], ring);
        return;
    }
    Place place;
    device::wait_for_kernel_before();
    const uint32_t first_tag = __ldcg(links.turns) + 1;
    const int position = links.position ? __ldcg(links.position) : 0;
    for (int i = 0; i < links.count; ++i) {
        const Link& link = near[i % 3];
        int thread = static_cast<int>(threadIdx.x);
        asm volatile("" : "+r"(thread));
        const Turn turn{first_tag + static_cast<uint32_t>(i), position, thread};
        float* const own_sums = sums + i % 2 * link_floats;
        const ChainMemory room{x, own_sums, own_sums + most_rows * sums_pitch};
        // The next link's description is fetched meanwhile: from where it lies it is slow to read.
        const bool fetches = thread < link_words && i + 1 < links.count;
        uint32_t word = 0;
        if (fetches) word = words[(i + 1) * link_words + thread];
        const auto fetch = [&] {
            if (fetches) near_words[(i + 1) % 3 * link_words + thread] = word;
        };
        if (link.kind == Link::Kind::embed) {
            do_embed<T>(link.embed, i + 1 < links.count ? &near[(i + 1) % 3] : nullptr, fetch);
        } else if (link.kind == Link::Kind::attention) {
            do_attention<T, Dim>(link.attention, turn, ring, place, sums, fetch);
        } else if (link.kind == Link::Kind::logits) {
            do_logits<T>(link.product, turn, ring, place, room, fetch);
        } else if (link.product.norm) {
            do_product<T, true>(link, turn, ring, place, room, fetch);
        } else {
            do_product<T, false>(link, turn, ring, place, room, fetch);
        }
    }
    meet();
    if (threadIdx.x == 0) finish(links.turns, links.count);
}

template <class T, int Dim>
__global__ __launch_bounds__(threads, 1) void chain_kernel(const __grid_constant__ Links links) {
#if __CUDA_ARCH__ >= 900
    constexpr bool has_bulk_copies = true;
#else
    constexpr bool has_bulk_copies = false;
#endif
    if (has_bulk_copies) run_links<T, Dim>(links);
}

constexpr size_t barrier_bytes = 2 * sizeof(uint64_t);  // of a stage

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
    if (link.kind == Link::Kind::embed || link.kind == Link::Kind::logits) return 0;
    const int words = link.kind == Link::Kind::attention
                          ? link.attention.groups * link.attention.ratio * link.attention.dim / 2
                          : link.product.units / link.product.word_units;
    return (static_cast<size_t>(words) + 1) / 2 * 2;
}

// Whether the block that reads this residual finds what the other link has put there: itself wrote
// it, or nobody did.
bool sees_residual(const ProductLink& p, const Link& other) {
    if (other.kind == Link::Kind::attention) return true;
    if (other.kind == Link::Kind::embed)
        return other.embed.hidden != p.residual || other.embed.depth == p.units;
    const auto* const outs = other.product.out;
    return (other.kind == Link::Kind::add && other.product.units == p.units) ||
           std::find(outs, outs + 3, p.residual) == outs + 3;
}

// What a link after these reads comes from the one before it, and a residual is seen. All that our
// seven steps make in their order is so.
bool follows(const Link& link, const std::vector<Link>& links) {
    const Link& before = links.back();
    if (link.kind == Link::Kind::embed) return false;
    if (before.kind == Link::Kind::embed) {
        return link.kind != Link::Kind::attention && link.product.x == before.embed.hidden &&
               link.product.depth == before.embed.depth && link.product.norm;
    }
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
    return !p.residual || std::all_of(links.begin(), links.end(),
                                      [&](const Link& other) { return sees_residual(p, other); });
}

}  // namespace

void Room::add(const Link& link) {
    if (link.kind == Link::Kind::attention) {
        stage_bytes = std::max(stage_bytes, link.attention.stage_bytes);
        least_stages = std::max(least_stages, link.attention.stages);
    } else if (link.kind != Link::Kind::embed) {
        const ProductLink& p = link.product;
        const int parts = p.norm ? normed_parts : 1;
        row_bytes = std::max(row_bytes, (parts * part_bytes(p.depth) + 127) / 128 * 128);
        stage_bytes = std::max(stage_bytes, stage_rows * p.pitch);
        least_stages = std::max(least_stages, 4);
    }
}

int Room::stages(const CudaStream& stream) const {
    constexpr size_t own = sizeof(Link) * (3 + copying_warps * Coming::slots);  // near, coming
    const size_t all = stream.shared_bytes() - own - 256;
    const size_t beside = bytes_beside_ring(row_bytes);
    const size_t each = static_cast<size_t>(stage_bytes) + barrier_bytes;
    const int stages = beside >= all ? 0 : static_cast<int>((all - beside) / each);
    return stages < least_stages ? 0 : stages;
}

Status add_link(const Link& link, DType dtype, CudaStream& stream) {
    return stream.state<Chain>().add(link, dtype);
}

bool Chain::takes(const Link& link, DType dtype) const {
    if (links_.empty()) return true;
    if (dtype != dtype_) return false;
    if (link.kind == Link::Kind::attention && dim() != 0 && link.attention.dim != dim())
        return false;
    Room room;
    room.add(link);
    size_t words = exchange_words(link);
    for (const Link& other : links_) {
        room.add(other);
        words += exchange_words(other);
    }
    return room.stages(stream_) > 0 && words <= most_exchange_words && follows(link, links_);
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
        const size_t words_before = i == 0 ? 0 : exchange_words(links_[i - 1]);
        const uint64_t* const before = words_before == 0 ? nullptr : exchange;
        exchange += words_before;
        uint64_t* const own = i + 1 == links_.size() ? nullptr : exchange;
        if (link.kind == Link::Kind::embed) continue;
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
    Room room;
    for (const Link& link : links_) {
        room.add(link);
        if (const int32_t* const position = position_of(link)) links.position = position;
    }
    links.only = links_.front();
    if (links_.size() > 1) {
        links.table = static_cast<const Link*>(
            stream_.keep_with_record(links_.data(), links_.size() * sizeof(Link)));
        if (!links.table) return fail(ErrorKind::internal, "a record has no room for its links");
    }
    // An embedding alone streams nothing.
    links.row_bytes = room.row_bytes;
    links.stage_bytes = std::max(room.stage_bytes, 128);
    links.stages = room.stage_bytes == 0 ? 1 : room.stages(stream_);
    Grid grid;
    grid.blocks = static_cast<unsigned>(stream_.multiprocessors());
    grid.threads = threads;
    grid.shared_bytes = static_cast<size_t>(links.stages) *
                            (static_cast<size_t>(links.stage_bytes) + barrier_bytes) +
                        bytes_beside_ring(links.row_bytes);
    grid.together = true;
    return with_half_type(dtype_, [&]<class T>(T) {
        return lockstep::launch("fused chain", kernel_for<T>(dim()), grid, stream_, links);
    });
}

}  // namespace lockstep::fused
